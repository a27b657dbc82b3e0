"""What a kernel became, read from what its compilers say of it."""

from benchmarks.compile_fused import Code, instructions_of_step

LISTING = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   IADD3 R0, R0, 0x1, RZ ;
        /*0020*/              @!P0 BRA `(.L_x_3) ;
.L_x_2:
   -:-:-:Y:05        /*0030*/                   FFMA R2, R2, R3, R4 ;
   -:-:-:Y:05        /*0040*/                   FMUL R2, R2, R3 ;
   -:-:-:Y:05        /*0050*/              @P0 BRA `(.L_x_2) ;
.L_x_3:
        /*0060*/                   ISETP.NE.AND P1, PT, R0, R5, PT ;
        /*0070*/              @P1 BRA `(.L_x_1) ;
.L_x_4:
        /*0080*/                   BRA `(.L_x_4) ;
"""
SAID = """ptxas info    : Compiling entry function 'lane_loop' for 'sm_90a'
ptxas         .   248 bytes stack frame, 244 bytes spill stores, 240 bytes spill loads
ptxas info    : Used 255 registers, used 2 barriers
"""


def test_the_loop_over_steps_is_the_longest_that_holds_no_other():
    assert instructions_of_step(LISTING) == 3


def test_registers_and_spills_are_read(tmp_path):
    (tmp_path / "a.ptxas").write_text(SAID)
    (tmp_path / "a.sass_ctrl").write_text(LISTING)
    assert Code.read(tmp_path) == Code(registers=255, spilled=244, instructions=3)
    assert Code(255, 244, 3).cells == ("255", "244", "3", "1.1e+13")
