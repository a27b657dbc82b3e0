"""The field's words for keys of [problem], and which key each of them stands for here."""

from sgdsim.ensemble.section import TIME_WORDS

PROBLEM_WORDS = TIME_WORDS | {
    **dict.fromkeys(("learning_rate", "lr", "eta", "gamma0", "rate"), "`gamma`: the rate is gamma N^beta"),
    **dict.fromkeys(("eps", "step_size"), "`gamma` and `beta`, eps = gamma N^(beta - 1)"),
    **dict.fromkeys(("hidden", "width", "hidden_units", "neurons", "units", "particles", "p"), "`N`"),
    **dict.fromkeys(("batch_size", "minibatch", "mini_batch", "B"), "`batch`"),
    **dict.fromkeys(
        ("activation", "activation_function", "nonlinearity", "sigma"), "`model`, which says its activation"
    ),
    **dict.fromkeys(("dim", "dimension", "input_dim", "D"), "`d`, of the models radial and teacher"),
    **dict.fromkeys(("Delta", "noise_variance", "sigma2"), "`label_noise`, of the model teacher"),
    **dict.fromkeys(("alpha", "output_scale"), "`a`"),
    **dict.fromkeys(("range", "limits"), "`window`"),
}
