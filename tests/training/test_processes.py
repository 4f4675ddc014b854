"""What several processes keep from the screen."""

import warnings

from training.processes import leave_out_warnings

STRIDES = (
    "Grad strides do not match bucket view strides. This may indicate grad was not created "
    "according to the gradient layout contract.\n"
    "grad.sizes() = [3, 8, {0}, {0}], strides() = [8, 1, 8, 8]\n"
    "bucket_view.sizes() = [3, 8, {0}, {0}], strides() = [8, 1, 1, 1]"
)


def test_only_warnings_that_mean_nothing_are_left_out():
    """Strides of 1x1 weights can be any; those of 3x3 weights would cost time."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        leave_out_warnings()
        for size in (1, 3):
            warnings.warn(STRIDES.format(size), UserWarning, stacklevel=1)
        for name in ("broadcast_buffers", "something_else"):
            words = f"`{name}` is deprecated. Use `forward_sync_buffers` instead."
            warnings.warn(words, FutureWarning, stacklevel=1)
    told = [str(warning.message) for warning in shown]
    assert len(told) == 2 and "[3, 8, 3, 3]" in told[0] and "something_else" in told[1]
