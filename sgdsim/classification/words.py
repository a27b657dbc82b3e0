"""The field's words for keys of [problem], and which key each of them stands for here."""

from sgdsim.ensemble.section import TIME_WORDS

PROBLEM_WORDS = TIME_WORDS | {
    **dict.fromkeys(("learning_rate", "lr", "eta", "gamma0", "rate", "step_size"), "`gamma`: the rate is gamma N^beta"),
    **dict.fromkeys(("hidden", "width", "hidden_units", "hidden_dim", "neurons", "units", "p"), "`N`"),
    **dict.fromkeys(("batch_size", "minibatch", "mini_batch", "B"), "`batch`"),
    **dict.fromkeys(("dataset", "data_set", "path", "folder", "images"), "`data`"),
    **dict.fromkeys(("initialisation", "initialization", "start", "weights"), "`init`"),
    **dict.fromkeys(("l2", "lambda", "decay", "wd"), "`weight_decay`"),
    **dict.fromkeys(("random_epochs", "label_noise", "random"), "`random_labels`, in epochs"),
    **dict.fromkeys(("range", "limits"), "`window`"),
}
