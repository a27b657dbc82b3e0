"""Kernels and waits, counted in optimised code; the forms that are compiled; what is said without a compiler."""

import sys

import jax
import pytest

from benchmarks import compile as command
from benchmarks.gpu_kernels import Case, cases
from benchmarks.hlo import Cost, Program

NESTED = """HloModule jit_job, is_scheduled=true

%fused_add (param_0: s64[]) -> s64[] {
  %param_0 = s64[] parameter(0)
  ROOT %add.1 = s64[] add(%param_0, %param_0)
}

%less (p: (s64[], f32[8]{0})) -> pred[] {
  %p = (s64[], f32[8]{0}) parameter(0)
  %i = s64[] get-tuple-element(%p), index=0
  ROOT %lt = pred[] fusion(%i), kind=kLoop, calls=%fused_compare
}

%unknown (p.1: (s64[], f32[8]{0})) -> (s64[], f32[8]{0}) {
  %p.1 = (s64[], f32[8]{0}) parameter(0)
  %next = s64[] fusion(%i.1), kind=kLoop, calls=%fused_add
  ROOT %t.1 = (s64[], f32[8]{0}) tuple(%next, %x.1)
}

%sixteen (p.2: (s64[], f32[8]{0})) -> (s64[], f32[8]{0}) {
  %p.2 = (s64[], f32[8]{0}) parameter(0)
  %step = (f32[8]{0}, /*index=1*/f32[8]{0}) fusion(%x.2), kind=kLoop, calls=%fused_step
  %root = (f32[8,8]{1,0}, s32[]) custom-call(%x.2), custom_call_target="potrf"
  %slice-start = ((f32[8]{0}), f32[1]{0}, u32[]) fusion-start(%x.2), kind=kLoop, calls=%fused_slice
  %slice-done = f32[1]{0} fusion-done(%slice-start)
  ROOT %t.2 = (s64[], f32[8]{0}) tuple(%i.2, %x.2)
}

%chunk (p.3: (s64[], f32[8]{0})) -> (s64[], f32[8]{0}) {
  %p.3 = (s64[], f32[8]{0}) parameter(0)
  %copy.1 = s64[] copy(%i.3)
  %w.1 = (s64[], f32[8]{0}) while(%t.3), condition=%less, body=%sixteen, backend_config={"known_trip_count":{"n":"16"}}
  ROOT %t.4 = (s64[], f32[8]{0}) tuple(%i.3, %x.3)
}

%called (q: f32[8]{0}) -> f32[8]{0} {
  %q = f32[8]{0} parameter(0)
  ROOT %w.3 = (s64[], f32[8]{0}) while(%q), body=%rejected, condition=%less, config={"known_trip_count":{"n":"4"}}
}

%rejected (p.4: (s64[], f32[8]{0})) -> (s64[], f32[8]{0}) {
  %w.4 = (s64[], f32[8]{0}) while(%p.4), condition=%less, body=%unknown
  %either = f32[8]{0} conditional(%i.4, %a, %b), branch_computations={%fused_add, %unknown}
  ROOT %t.5 = (s64[], f32[8]{0}) tuple(%i.4, %x.4)
}

ENTRY %main (n: s64[], x: f32[8]) -> f32[8] {
  %n = s64[] parameter(0)
  %zero = f32[8]{0} broadcast(%n), dimensions={}
  %w.2 = (s64[], f32[8]{0}) while(%t.6), condition=%less, body=%chunk
  %c = f32[8]{0} call(%x.5), to_apply=%called
  ROOT %out = f32[8]{0} get-tuple-element(%w.2), index=1
}
"""


def test_the_host_waits_once_for_a_chunk():
    """16 steps of a kernel, a call of a library and a slice; a copy; and the question."""
    chunks, _ = Program(NESTED).loops
    assert chunks.trips is None
    assert chunks.iteration == Cost(kernels=16 * 3 + 1 + 1, calls=16, waits=1)
    step = command.cost_of_step(Case("chunks", lambda: None, (), 16), NESTED)
    assert (step.kernels, step.calls, step.waits) == (50 / 16, 1, 1 / 16)


def test_a_loop_inside_whose_length_nobody_knows():
    """Once at least: a kernel, and the question before and after it; and the dearer branch of a choice."""
    _, rejection = Program(NESTED).loops
    assert rejection.trips == 4
    assert rejection.iteration == Cost(kernels=1 + 2 + 1, waits=2 + 1, bounded=False)
    assert rejection.whole == Cost(kernels=16, waits=12, bounded=False)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["gpu", "tpu"])
def test_every_form_can_be_traced(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    names = []
    for name, function, arguments in cases():
        jax.jit(function).trace(*arguments)
        names.append(name)
    assert len(set(names)) == len(names) >= 22


@pytest.mark.parametrize(("device", "package"), [("gpu", "jax[cuda13]"), ("tpu", "libtpu")])
def test_what_is_missing_is_named(device, package, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compile", device])
    monkeypatch.setattr(command, "_found", lambda module: False)
    assert command.main() == 2
    assert capsys.readouterr().err == f"{package} is not installed here: `pip install '{package}'`.\n"
