"""The page's callbacks, called as Gradio calls them, without a browser."""

import dataclasses
import math
from types import SimpleNamespace
from unittest.mock import Mock

import gradio as gr
import pytest
import torch

from app import build_page
from playground.controls import BoundedSlider, SeedBox
from playground.mix import beside, layer_names, sides_shown, weight_of
from playground.mixing import STEPS, Mixer, joined, read_scene
from playground.model import Model, Models, load_model
from playground.scene import Scene
from playground.seeds import MAX_SEED, good_seeds, problem_with_seed, roll
from playground.share import MOST_LAYERS
from stylegan import Generator, GeneratorConfig
from stylegan.domains import Domain, looks_of, save_domains
from stylegan.images import to_uint8
from stylegan.latents import blend, even_weights, mix_styles, sample_z
from stylegan.specs import style_bands
from tests.conftest import close


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


@pytest.fixture(scope="module")
def mixer(model):
    return Mixer(Models(model))


def test_a_face_is_what_the_generator_draws_for_its_seed(model, mixer):
    expected = to_uint8(model.G(sample_z([3], model.G.z_dim), truncation_psi=0.65).detach())[0]
    a, _, _ = mixer.faces(Scene(3, 8, 0.5, 0.65, False))
    assert close(a, expected)


def test_the_ends_of_the_slider_are_the_two_faces(mixer):
    a, _, b = mixer.faces(Scene(3, 8, 0.5, 0.65, False))
    assert close(mixer.mix(Scene(3, 8, 0, 0.65, False)), a)
    assert close(mixer.mix(Scene(3, 8, 1, 0.65, False)), b)
    assert not close(a, b)


def test_the_mix_differs_from_both_parents_and_equals_the_middle_picture(mixer):
    a, mixed, b = mixer.faces(Scene(3, 8, 0.4, 0.65, False))
    assert close(mixer.mix(Scene(3, 8, 0.4, 0.65, False)), mixed)
    assert not close(mixed, a)
    assert not close(mixed, b)


def test_psi_zero_shows_the_average_face_whatever_the_seed(mixer):
    a, mixed, b = mixer.faces(Scene(3, 8, 0.4, 0, False))
    assert close(a, b)
    assert close(a, mixed)


@pytest.mark.parametrize("seed", [None, -1, MAX_SEED + 1, 3.7, float("inf"), float("nan")])
def test_a_bad_seed_is_named_beside_its_field(seed):
    with pytest.raises(gr.Error) as told:
        read_scene(0, seed, 0.5, 0.65, False)
    words = told.value.message
    assert words == "Seed B must be a whole number from 0 to 4294967295."
    assert beside(words) == ["", words, ""] and beside("Another.") == ["", "", "Another."]


def test_the_film_strip_leads_from_a_to_b_and_a_face_on_it_gives_its_weight(mixer):
    a, _, b = mixer.faces(Scene(3, 8, 0.5, 0.65, False))
    film = mixer.strip(Scene(3, 8, 0.5, 0.65, False))
    assert len(film) == STEPS + 1 == 11
    assert close(film[0], a) and close(film[-1], b)
    assert close(film[7], mixer.mix(Scene(3, 8, 0.7, 0.65, False)))
    assert weight_of(SimpleNamespace(index=7)) == 0.7


def test_between_two_kinds_the_slider_goes_evenly(kinds):
    """Surely of the first kind over half of the way: so 1/2 lies farther. Within a kind it does not
    change."""
    first, last = kinds.domains
    far = torch.cat([last.centre / 4, torch.tensor([-2.0])])
    domains = [dataclasses.replace(first, look=0 * far), dataclasses.replace(last, look=far)]
    model = dataclasses.replace(kinds, domains=domains)
    for seeds, is_even in (([5, 9], True), ([5, 6], False)):
        a, b = model.styles(seeds, 0.2, own=True).split(1)
        (weight,) = even_weights(a, b, [0.5], looks_of(domains, model.G.w_dim))
        assert (weight > 0.52) == is_even and (weight == 0.5) != is_even
        scene = Scene(*seeds, 0.5, 0.2, True)
        mixed = Mixer(Models(model)).mix(scene)
        assert close(mixed, model.draw(blend(a, b, weight))[0])
        plain = model.draw(blend(a, b, 0.5))[0]
        assert close(mixed, plain) != is_even


def test_bands_move_their_own_layers_only(model, mixer):
    """All shape of A and all else of B, at weight 1/2; the film strip goes the same way. Two faces
    of one kind."""
    ws = model.styles([3, 1], 0.65)
    mixed = ws[1:].clone()
    mixed[:, style_bands(model.G.config)["shape"]] = ws[:1, style_bands(model.G.config)["shape"]]
    expected = model.draw(mixed)[0]
    scene = Scene(3, 1, 0.5, 0.65, False, -1, 0.5, 1)
    assert close(mixer.mix(scene), expected)
    assert close(mixer.strip(scene)[5], expected)
    a, again, b = mixer.faces(scene)
    assert close(again, expected) and close(a, model.draw(ws[:1])[0])


def test_a_layer_s_weight_is_moved_alone_and_beside_its_band(model, mixer):
    """Layer 1 all of B by itself, layer 2 back to A although its band asks for B. Two
    faces of one kind."""
    ws = model.styles([3, 1], 0.65)
    layers = [0.0] * model.G.num_ws
    layers[1], layers[2] = 1.0, -1.0
    place = style_bands(model.G.config)["shape"].index(2)
    assert style_bands(model.G.config)["shape"][place] == 2
    weights = torch.full((1, model.G.num_ws), 0.5)
    weights[:, style_bands(model.G.config)["shape"]] = 0.75
    weights[:, 1], weights[:, 2] = 1, 0
    expected = model.draw(mix_styles(ws[:1], ws[1:], weights))[0]
    found = mixer.mix(Scene(3, 1, 0.5, 0.65, False, 0.25, layers=tuple(layers)))
    assert close(found, expected)
    for wrong in ([0] * (MOST_LAYERS + 1), ["x"], [2.0], [math.nan], None, 3, {"a": 1}):
        with pytest.raises(gr.Error, match="Layers must be at most 16 numbers"):
            read_scene(3, 8, 0.5, 0.65, False, layers=wrong)
    names = layer_names(model.G.config)
    assert len(names) == model.G.num_ws and names[:2] == ["0: place, angle", "1: shape"]


def test_an_empty_seed_is_the_visitor_s_own_face(model, mixer):
    """As it was found, whatever psi; without one the seed is missing."""
    face = model.styles([77], 1.0)
    scene, found = read_scene(None, 8, 0.5, 0.2, False, face)
    a, _, b = mixer.faces(scene, found)
    assert found is face and close(a, model.draw(face)[0])
    assert close(b, model.draw(model.styles([8], 0.2))[0])
    assert close(mixer.mix(scene.alone("A"), face), a)
    with pytest.raises(gr.Error, match="Seed A must be"):
        read_scene(None, 8, 0.5, 0.2, False)


def test_two_own_faces_are_mixed_with_each_other(model, mixer):
    """The first is A; another takes the place of one of them, or of both if it is alone."""
    first, second, third = (model.styles([seed], 0.65) for seed in (77, 78, 79))
    held = joined("B", second, joined("A", first, None, 8), None)
    scene, faces = read_scene(None, None, 0.5, 0.65, False, held)
    a, _, b = mixer.faces(scene, faces)
    assert close(a, model.draw(first)[0]) and close(b, model.draw(second)[0])
    assert torch.equal(joined("A", third, held, None), torch.cat([third, second]))
    assert torch.equal(joined("B", third, held, None), torch.cat([first, third]))
    assert torch.equal(joined("A", third, held, 8), third)
    assert torch.equal(joined("A", third, held[:, 1:], None), third)  # those of another model


def test_a_face_is_pulled_to_the_average_of_its_own_kind(kinds):
    """All the way at psi 0: the centre that its latent lies closest to, not that of all."""
    centres = torch.stack([domain.centre for domain in kinds.domains])
    w = kinds.G.mapping(sample_z([3], kinds.G.z_dim))[0, 0].detach()
    nearest = torch.cdist(w[None], centres).argmin()
    expected = centres[nearest].expand(1, kinds.G.num_ws, -1)
    torch.testing.assert_close(kinds.styles([3], 0.0, own=True), expected)
    everyone = kinds.G.mapping.w_avg.expand(1, kinds.G.num_ws, -1)
    torch.testing.assert_close(kinds.styles([3], 0.0), everyone)
    a, _, _ = Mixer(Models(kinds)).faces(Scene(3, 8, 0.5, 0.0, True))
    assert close(a, kinds.draw(expected)[0])


def test_good_seeds_are_the_first_of_their_kind(kinds):
    assert good_seeds(kinds.domains, 2) == ([5, 6], [9, 10])
    picked = [dataclasses.replace(kinds.domains[0], shown=[7]), kinds.domains[1]]
    assert good_seeds(picked, 2) == ([7, 5], [9, 10])


def test_where_good_seeds_lack_others_fill_up_and_none_is_in_both(kinds):
    """One kind alone is dealt out; without any it is 0, 1, ..."""
    assert good_seeds(kinds.domains, 6) == ([5, 6, 7, 8, 0, 1], [9, 10, 11, 12, 2, 3])
    assert good_seeds(kinds.domains[:1], 3) == ([5, 7, 0], [6, 8, 1])
    assert good_seeds([], 3) == ([0, 1, 2], [3, 4, 5])


def test_the_page_is_built_with_kinds_and_without(kinds, model):
    """Also with a kind that hardly any face is of."""
    rare = dataclasses.replace(kinds.domains[0], seeds=[7], scores=[1.0])
    rare = Model(model.G, "a rare kind", domains=[rare, kinds.domains[1]])
    for shown in (kinds, rare, Model(model.G, "no kinds")):
        page = build_page(shown)
        (own,) = (b for b in page.blocks.values() if getattr(b, "elem_id", "") == "own")
        assert own.visible == own.value == bool(shown.domains)
        galleries = [b for b in page.blocks.values() if isinstance(b, gr.Gallery)]
        assert len(galleries) == 13


def test_kinds_that_do_not_fit_are_named(tmp_path):
    tiny = Generator(GeneratorConfig.stylegan3_t(32, z_dim=8, w_dim=8, channel_base=128))
    tiny.save_pretrained(tmp_path)
    save_domains([Domain("a", torch.ones(12), 1.0, [0], [1.0])], tmp_path)
    loaded = load_model(str(tmp_path))
    (words,) = loaded.left_out
    assert loaded.domains == [] and "centres are 12 wide and the latents 8" in words


def test_a_slider_takes_a_number_outside_its_range_for_the_bound():
    slider = BoundedSlider(0, 1, 0.65)
    assert [slider.preprocess(value) for value in (-3, 0.2, 5, None)] == [0, 0.2, 1, 0.65]


def test_what_a_program_sends_in_place_of_a_number_is_named():
    slider, box = BoundedSlider(0, 1, 0.65, label="Weight"), SeedBox()
    for wrong in ("x", math.nan, [], {}):
        with pytest.raises(gr.Error, match="Weight: a number from 0 to 1 is needed"):
            slider.preprocess(wrong)
    assert box.preprocess(3) == 3 and box.preprocess(None) is None
    assert all(problem_with_seed(box.preprocess(wrong), "A") for wrong in ("x", [], {}))


def test_rolled_seeds_are_valid_and_various():
    seeds = {roll() for _ in range(50)}
    assert len(seeds) > 40
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_drawing_leaves_the_model_unchanged(model, mixer):
    before = {name: tensor.clone() for name, tensor in model.G.state_dict().items()}
    mixer.faces(Scene(1, 2, 0.5, 0.8, False))
    after = model.G.state_dict()
    assert all(after[name].equal(tensor) for name, tensor in before.items())


def test_another_model_is_loaded_from_its_folder(model, tmp_path):
    other = Generator(model.G.config)
    other.save_pretrained(tmp_path / "other")
    loaded = load_model(str(tmp_path / "other"))
    assert loaded.problem == "" and 0 < loaded.seconds < 60
    assert loaded.name == f"the weights in {tmp_path.name}/other"  # no more of where it is
    assert loaded.G.synthesis.input.phases.equal(other.synthesis.input.phases)


@pytest.mark.parametrize(
    "side, sides, first",
    [(64, "64 512 1024", "512"), (512, "512 1024", "512"), (1024, "512 1024", "1024")],
)
def test_a_picture_can_be_saved_as_large_as_it_is_drawn(model, side, sides, first):
    config = SimpleNamespace(img_resolution=side)
    shown = sides_shown(dataclasses.replace(model, G=config))
    assert shown == dict(choices=sides.split(), value=first)


def test_a_busy_machine_is_told_below_the_strip(model, monkeypatch):
    page, busy = build_page(model), gr.Error("Too many visitors")
    ends = [[getattr(x, "elem_id", "") for x in event.outputs] for event in page.fns.values()]
    strip = list(page.fns.values())[ends.index(["film", "strip-words"])].fn
    held = 175, 375, 0.5, 0.65, True, None, 0, 0, 0, [], ""
    faces, words = strip(*held)
    assert len(faces) == STEPS + 1 and words == ""
    monkeypatch.setattr(Model, "draw_many", Mock(side_effect=busy))
    assert strip(*held) == (gr.skip(), "Too many visitors")


def test_a_missing_model_leaves_the_bundled_one_and_a_sentence(model, tmp_path):
    loaded = load_model(str(tmp_path / "nowhere"))
    assert "nowhere cannot be shown: " in loaded.problem
    assert torch.equal(loaded.G.mapping.w_avg, model.G.mapping.w_avg)
    page = build_page(loaded)
    texts = [b.value for b in page.blocks.values() if isinstance(b, gr.Markdown)]
    assert any(loaded.problem in text for text in texts)


def test_a_hub_that_is_away_leaves_the_bundled_model_and_a_sentence(monkeypatch, model):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    loaded = load_model("nobody-at-all/no-such-faces")
    assert "no-such-faces is no folder here, and the Hub cannot be reached" in loaded.problem
    assert torch.equal(loaded.G.mapping.w_avg, model.G.mapping.w_avg)


def test_a_face_found_with_another_model_is_told(mixer, model):
    face = torch.zeros(1, model.G.num_ws + 2, model.G.w_dim)
    for own, words in ((face, "Your face was found with another model"), (None, "no face of your")):
        with pytest.raises(gr.Error, match=words):
            mixer.mix(Scene(None, 8, 0.5, 0.65, False), own)
