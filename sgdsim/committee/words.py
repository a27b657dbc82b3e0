"""The field's words for keys of [problem] and [rule], and which key each of them stands for here."""

from sgdsim.ensemble.section import TIME_WORDS

RATE = "`gamma`, or `gamma0` beside p0"
WIDTH = "`p`, or `p0` with `kappa`"

PROBLEM_WORDS = TIME_WORDS | {
    **dict.fromkeys(("Delta", "variance", "noise_variance"), "`noise`, the variance Delta"),
    **dict.fromkeys(("sigma2", "noise_std", "noise_level"), "`noise`, a variance, sigma^2"),
    "sigma": "`noise`, a variance, or `activation`",
    **dict.fromkeys(("learning_rate", "lr", "eta", "rate", "step_size"), RATE),
    **dict.fromkeys(("batch_size", "minibatch", "mini_batch", "B"), "`batch`"),
    "N": "`d` (inputs) or `p` (hidden units)",
    **dict.fromkeys(("D", "n", "dim", "dimension", "input_dim", "n_inputs", "features"), "`d`"),
    **dict.fromkeys(
        ("hidden", "width", "hidden_units", "hidden_dim", "neurons", "units", "student", "students"), WIDTH
    ),
    **dict.fromkeys(("teacher", "teachers", "teacher_width", "teacher_units"), "`k`"),
    "K": "`k` (teacher) or `p` (student)",
    "M": "`k`, the units of the teacher",
    "theta": "`kappa` and `delta`, theta = kappa + delta",
    **dict.fromkeys(("nonlinearity", "activation_function", "act", "phi", "g"), "`activation`"),
}
SMOOTH = "any other smooth function is there from Python: activation = Custom(jnp.tanh)"

DATA_WORDS = {
    **dict.fromkeys(("N", "size", "samples", "n_samples", "train_size", "P"), "`n`, data of every replica"),
    **dict.fromkeys(("alpha", "ratio"), "`n0`, n = round(n0 d^n_exponent)"),
    **dict.fromkeys(("shuffle", "replace", "sampling", "order"), "`draws`"),
    **dict.fromkeys(("batch_size", "minibatch", "batch"), "`batch` in [problem]"),
}

RULE_WORDS = {
    **dict.fromkeys(("weight_decay", "wd", "l2", "ridge", "lambda"), "`decay`"),
    **dict.fromkeys(("beta", "heavy_ball"), "`momentum`"),
    "mu": "`momentum`, or in [problem] `mu`, the exponent of the batch",
    **dict.fromkeys(("sphere", "normalize_weights", "fixed_norm"), "`spherical`"),
    **dict.fromkeys(("reuses", "visits", "passes", "repeat"), "`reuse`"),
    **dict.fromkeys(("normalized", "normalise", "normalize"), "`normalised`"),
    **dict.fromkeys(("clipping", "max_norm", "clip_norm", "gradient_clipping"), "`clip`"),
    **dict.fromkeys(("averaging", "polyak", "ruppert", "swa"), "`average`"),
    **dict.fromkeys(("decay_exponent", "power"), "`exponent`"),
    **dict.fromkeys(("optimizer", "opt", "method"), "`optimiser`"),
    **dict.fromkeys(("b1", "beta_1"), "`beta1`"),
    **dict.fromkeys(("b2", "beta_2"), "`beta2`"),
    **dict.fromkeys(("eps",), "`epsilon`"),
    **dict.fromkeys(("warmup", "warmup_steps"), "`warm_up`, a time"),
    **dict.fromkeys(("T", "decay_steps", "horizon", "tau"), "`t0`, a time"),
}
