"""One command per question; what they found lies in `results`."""

import training.train  # noqa: F401  first: it sets what torch reads when it is loaded
