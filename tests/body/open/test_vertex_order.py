import numpy as np

from avatarlab.body.layout import LANDMARKS
from avatarlab.body.open import vertex_order


def test_order_is_a_permutation_that_moves_few(anny):
    order = vertex_order.permutation(anny.vertices)
    assert np.array_equal(np.sort(order), np.arange(len(order)))
    assert (order != np.arange(len(order))).sum() <= 2 * len(vertex_order.ANNY_VERTEX) + 2


def test_every_smplx_number_holds_its_landmark(anny):
    order = vertex_order.permutation(anny.vertices)
    for name, vertex in vertex_order.ANNY_VERTEX.items():
        assert order[LANDMARKS[name]] == vertex, name


def test_mirror_is_an_involution_on_a_symmetric_mesh(anny):
    other = vertex_order.mirror(anny.vertices)
    assert np.array_equal(other[other], np.arange(len(other)))
