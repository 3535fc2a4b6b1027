"""One thread is enough for small networks, and many small steps do not wait for each other."""

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _smallest_numbers_stay():
    """What a network needs is not left behind in the thread: other libraries would fail."""
    yield
    assert np.multiply(np.array([1e-310]), 1.0)[0] > 0
