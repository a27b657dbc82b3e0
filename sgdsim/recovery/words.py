"""The field's words for keys of [problem], and which key each of them stands for here."""

from sgdsim.ensemble.section import TIME_WORDS

PROBLEM_WORDS = TIME_WORDS | {
    **dict.fromkeys(("learning_rate", "lr", "gamma", "rate", "step_size", "dt", "h"), "`eta`"),
    **dict.fromkeys(("batch", "batch_size", "minibatch", "B"), "`b`, the part of the data that a step uses"),
    **dict.fromkeys(("d", "n", "dim", "dimension", "input_dim", "size"), "`N`"),
    **dict.fromkeys(("M", "P", "n_data", "data", "measurements"), "`alpha`, data per dimension"),
    **dict.fromkeys(("m", "overlap", "magnetisation", "magnetization", "m_0"), "`m0`"),
    **dict.fromkeys(("C", "C0", "norm", "radius"), "`C00`, |x(0)|^2/N"),
    **dict.fromkeys(("p", "order"), "`degree`"),
    **dict.fromkeys(("tau", "persistence_time", "persistent"), "`persistence`, with selection = 'persistent'"),
    **dict.fromkeys(("T", "temp", "beta_inverse"), "`temperature`"),
    **dict.fromkeys(("shuffle", "shuffled", "sampling", "replacement"), "`selection`"),
    **dict.fromkeys(("tw", "t_w", "waiting_times", "waiting_time"), "`waiting`"),
}
