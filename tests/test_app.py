"""The page's callbacks, called as Gradio calls them, without a browser."""

import dataclasses
import math
from types import SimpleNamespace
from unittest.mock import Mock

import gradio as gr
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from app import build_page
from playground import find
from playground.controls import BoundedSlider, SeedBox
from playground.find import Finder
from playground.mix import beside, layer_names, sides_shown, weight_of
from playground.mixing import STEPS, Mixer, joined, read_scene
from playground.model import Model, Models, load_model
from playground.scene import Scene
from playground.seeds import MAX_SEED, good_seeds, problem_with_seed, roll
from playground.share import MOST_LAYERS
from playground.upload import crop_upload
from preprocessing import detect
from preprocessing.detect import find_faces
from preprocessing.read import read_image
from stylegan import Generator, GeneratorConfig
from stylegan.domains import Domain, save_domains
from stylegan.encoder import Encoder
from stylegan.images import to_uint8
from stylegan.latents import mix_styles, sample_z
from stylegan.projection import unlikeness
from stylegan.specs import style_bands
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def model(bundled):
    return bundled


@pytest.fixture(scope="module")
def mixer(model):
    return Mixer(Models(model))


@pytest.fixture(scope="module")
def kinds(model):
    """The same generator, with two kinds of faces made up."""
    centre = torch.randn(model.G.w_dim, generator=torch.Generator().manual_seed(0))
    first = Domain("first", centre, 0.5, [5, 6, 7, 8], [1.0] * 4)
    last = Domain("last", -centre, 0.5, [9, 10, 11, 12], [1.0] * 4)
    return Model(model.G, "two kinds", domains=[first, last])


@pytest.fixture
def portrait(tmp_path):
    path = tmp_path / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return str(path)


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal up to rounding: a batch of one and a batch of three may differ in the last bit."""
    return np.abs(np.asarray(a).astype(int) - np.asarray(b)).max() <= 1


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


def test_bands_move_their_own_layers_only(model, mixer):
    """All shape of A and all else of B, at weight 1/2; the film strip goes the same way."""
    ws = model.styles([3, 8], 0.65)
    mixed = ws[1:].clone()
    mixed[:, style_bands(model.G.config)["shape"]] = ws[:1, style_bands(model.G.config)["shape"]]
    expected = model.draw(mixed)[0]
    scene = Scene(3, 8, 0.5, 0.65, False, -1, 0.5, 1)
    assert close(mixer.mix(scene), expected)
    assert close(mixer.strip(scene)[5], expected)
    a, again, b = mixer.faces(scene)
    assert close(again, expected) and close(a, model.draw(ws[:1])[0])


def test_a_layer_s_weight_is_moved_alone_and_beside_its_band(model, mixer):
    """Layer 1 all of B by itself, layer 2 back to A although its band asks for B."""
    ws = model.styles([3, 8], 0.65)
    layers = [0.0] * model.G.num_ws
    layers[1], layers[2] = 1.0, -1.0
    place = style_bands(model.G.config)["shape"].index(2)
    assert style_bands(model.G.config)["shape"][place] == 2
    weights = torch.full((1, model.G.num_ws), 0.5)
    weights[:, style_bands(model.G.config)["shape"]] = 0.75
    weights[:, 1], weights[:, 2] = 1, 0
    expected = model.draw(mix_styles(ws[:1], ws[1:], weights))[0]
    found = mixer.mix(Scene(3, 8, 0.5, 0.65, False, 0.25, layers=tuple(layers)))
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


def test_the_crop_of_a_portrait_is_its_face(portrait):
    (face,), words = crop_upload(portrait, 64)
    assert face.shape == (64, 64, 3)
    # Chosen by eye: from the top of the hair to below the chin.
    expected = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((148, 32, 304, 188)))
    expected = np.asarray(Image.fromarray(expected).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(face.ravel(), expected.ravel())[0, 1] > 0.9
    assert "face" in words


def test_a_crop_is_framed_as_the_training_data_is(portrait):
    """There the eyes lie 0.22 to 0.28 of the crop apart, nine times in ten; see docs/log.md."""
    (face,), _ = crop_upload(portrait, 256)
    (found,) = find_faces(face, 100, "yunet")
    assert 0.22 < np.hypot(*np.subtract(*found.points[:2])) / 256 < 0.3


def test_every_face_of_a_picture_is_cropped(portrait, two_faces):
    """The large one first."""
    (alone,), _ = crop_upload(portrait, 64)
    faces, words = crop_upload(str(two_faces), 64)
    assert len(faces) == 2 and "the largest of 2 faces" in words
    for face in faces:
        assert np.corrcoef(face.ravel(), alone.ravel())[0, 1] > 0.8


def drawn_on_white(face, degrees, path):
    """A face (64, 64, 3), three times as large, tilted on a sheet; where it lies, (192, 192, 3)."""
    sheet = Image.new("RGB", (400, 300), "white")
    sheet.paste(Image.fromarray(face).resize((192, 192), Image.Resampling.BICUBIC), (104, 54))
    sheet = sheet.rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")
    sheet.save(path)
    return np.asarray(sheet)[54:246, 104:296]


def test_a_tilted_face_is_levelled_for_a_network_that_learnt_level_ones(portrait, tmp_path):
    (upright,), _ = crop_upload(portrait, 64, level=True)
    turned = Image.open(portrait).rotate(20, Image.Resampling.BICUBIC, fillcolor="white")
    turned.save(tmp_path / "turned.png")
    alike = {}
    for level in (False, True):
        (face,), _ = crop_upload(str(tmp_path / "turned.png"), 64, level=level)
        alike[level] = np.corrcoef(face.ravel(), upright.ravel())[0, 1]
    assert alike[True] > 0.85 > alike[False] + 0.2, alike


@pytest.mark.parametrize("degrees", [0, 30])
def test_a_drawn_face_comes_back_as_it_was_cropped(model, tmp_path, degrees):
    seed = model.domains[0].seeds[2]
    ws = model.G.mapping(sample_z([seed], model.G.z_dim), truncation_psi=0.65)
    drawn = to_uint8(model.G.synthesis(ws))[0]
    patch = drawn_on_white(np.asarray(drawn), degrees, tmp_path / "drawn.png")
    (face,), words = crop_upload(str(tmp_path / "drawn.png"), 64)
    expected = np.asarray(Image.fromarray(patch).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(face.ravel(), expected.ravel())[0, 1] > 0.75
    assert "One face was found" in words


def test_a_face_of_a_series_that_the_cascade_misses_is_found():
    path = SHARED / "data/cartoon_arcane_research/arcane_02.jpg"
    if not path.exists():
        pytest.skip("the faces of a series are not here: ../shared/data")
    assert find_faces(read_image(path), 24) == []
    (face,), words = crop_upload(str(path), 64)
    assert face.shape == (64, 64, 3) and "One face was found" in words


def test_a_picture_of_more_than_40_million_pixels_is_refused(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (8000, 5001)).save(path)
    assert crop_upload(str(path), 64) == (
        [],
        "large.png has more than 40 million pixels. Try another picture.",
    )


def test_a_picture_without_a_face_says_so_and_a_large_one_is_not_kept_by_the_detectors(tmp_path):
    for size, kept in (((200, 200), True), ((2000, 1100), False)):
        Image.new("RGB", size, "grey").save(tmp_path / "grey.png")
        faces, words = crop_upload(str(tmp_path / "grey.png"), 64)
        assert faces == []
        assert "No face was found" in words
        assert bool(vars(detect._local)) == kept


def test_a_file_that_is_no_picture_is_named(tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_text("Dear all")
    faces, words = crop_upload(str(path), 64)
    assert faces == []
    assert words.startswith("letter.jpg is not a JPEG")


def test_taking_the_picture_away_clears_the_crop():
    assert crop_upload(None, 64) == ([], "")


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
    assert loaded.G.state_dict().keys() == model.G.state_dict().keys()
    page = build_page(loaded)
    texts = [b.value for b in page.blocks.values() if isinstance(b, gr.Markdown)]
    assert any(loaded.problem in text for text in texts)


def test_a_hub_that_is_away_leaves_the_bundled_model_and_a_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    loaded = load_model("nobody-at-all/no-such-faces")
    assert "no-such-faces is no folder here, and the Hub cannot be reached" in loaded.problem
    assert loaded.G.z_dim == 512


@pytest.fixture(scope="module")
def finder(kinds):
    return Finder(Models(kinds))


def test_a_face_is_found_among_those_that_the_network_draws(finder, monkeypatch):
    """A drawn one, from the nearest of others: a picture shows its styles, the last is nearest."""
    monkeypatch.setattr(find, "STEPS", 12)
    monkeypatch.setattr(find, "MOST_SECONDS", 1000)
    face = finder.models.own.draw(finder.models.own.styles([77], 0.65))[0]
    found = list(finder.find(face))
    told = [words.partition(",")[0] for *_, words in found]
    looking = [f"Looking: step {step} of at most 12" for step in (5, 10)]
    assert told[:2] == looking and told[2].startswith("Found")
    for picture, ws, _ in found:
        assert close(picture, finder.models.own.draw(ws)[0])
    target = find.images(face[None])
    distances = [unlikeness(find.images(picture[None]), target).item() for picture, *_ in found]
    assert (
        distances[2]
        < distances[0]
        < unlikeness(finder.starts(finder.models.own).drawn, target).min()
    )


@pytest.mark.parametrize("seconds, faces", [(0, 48), (0.04, 48), (0.5, 10), (9.0, 2)])
def test_a_search_with_a_slow_model_begins_with_one_of_fewer_faces(kinds, seconds, faces):
    assert len(find.starts(dataclasses.replace(kinds, seconds=seconds)).ws) == faces


def test_likeness_is_told_in_a_word_and_a_figure():
    face = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert find.likeness(face, face) == "a good likeness (100 of 100)"
    assert find.likeness(255 - face, face) == "hardly a likeness (0 of 100)"


def test_an_encoder_answers_at_once_and_the_search_goes_on_from_there(model, monkeypatch):
    """With the weights in the repository: nearer than the good seeds, then nearer still."""
    assert model.encoder
    monkeypatch.setattr(find, "STEPS", 10)
    monkeypatch.setattr(find, "MOST_SECONDS", 1000)
    finder = Finder(Models(model))
    face = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((156, 42, 294, 180)))
    face = np.array(Image.fromarray(face).resize((64, 64), Image.Resampling.BOX))
    picture, ws, words = finder.first(face)
    assert ws.shape == (1, model.G.num_ws, model.G.w_dim)
    assert words.startswith("A first answer, ") and close(picture, model.draw(ws)[0])
    *_, (better, _, words) = finder.find(face)
    assert words.startswith("Found: ") and words.endswith(". Now mix it.")
    target = find.images(face[None])
    distances = [unlikeness(find.images(x[None]), target).item() for x in (better, picture)]
    assert distances[0] < distances[1] < unlikeness(finder.starts(model).drawn, target).min()


def test_without_a_face_or_an_encoder_there_is_no_first_answer(finder, model):
    assert Finder(Models(model)).first(None) == (None, None, "")
    assert finder.first(np.zeros((64, 64, 3), np.uint8)) == (None, None, "")


def test_an_encoder_of_another_generator_is_left_out_and_told(tiny, tmp_path):
    Generator(tiny()).save_pretrained(tmp_path)
    other = Generator(tiny(num_layers=4))
    Encoder.of(other, width=8, features=16, directions=5).save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    assert loaded.encoder is None
    assert any("a generator of another shape" in sentence for sentence in loaded.left_out)


def test_a_search_ends_when_its_time_is_up(finder, monkeypatch):
    monkeypatch.setattr(find, "MOST_SECONDS", 0)
    face = finder.models.own.draw(finder.models.own.styles([77], 0.65))[0]
    assert len(list(finder.find(face))) == 1


def test_a_face_is_found_in_grey(tiny):
    grey = Generator(tiny(img_channels=1)).eval().requires_grad_(False)
    face = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    picture, ws, _ = next(Finder(Models(Model(grey, "grey"))).find(face))
    assert picture.shape == (32, 32, 3) and ws.shape == (1, grey.num_ws, grey.w_dim)


def test_without_a_face_of_its_size_there_is_nothing_to_find(finder):
    with pytest.raises(gr.Error, match="There is no face yet"):
        next(finder.find(None))
    with pytest.raises(gr.Error, match="must be 64x64 pixels"):
        next(finder.find(np.zeros((32, 64, 3), np.uint8)))


def test_a_face_found_with_another_model_is_told(mixer, model):
    face = torch.zeros(1, model.G.num_ws + 2, model.G.w_dim)
    for own, words in ((face, "Your face was found with another model"), (None, "no face of your")):
        with pytest.raises(gr.Error, match=words):
            mixer.mix(Scene(None, 8, 0.5, 0.65, False), own)
