"""What is told of a model beside its weights, in files that a stranger may have written."""

import json

import pytest

from app import build_page, problems
from playground.about import facts, words_of
from playground.explore import equivariance_words
from playground.model import Model, load_model
from playground.told import MOST_KINDS, read_told
from stylegan import Generator
from stylegan.domains import DOMAINS
from stylegan.history import HISTORY, Moment
from stylegan.layout import CARD, METRICS

DEEP, LONG = "[" * 100_000, f"1{'0' * 400}"
KIND = dict(name="a", share=0.5, centre=[0] * 12, seeds=[1], scores=[1])


@pytest.fixture
def G(tiny):
    return Generator(tiny()).eval().requires_grad_(False)


@pytest.mark.parametrize(
    "name, text, sentence",
    [
        (DOMAINS, "{", "does not list kinds of faces"),
        (DOMAINS, DEEP, "does not list kinds of faces"),
        (DOMAINS, json.dumps([KIND | dict(centre=[0] * 3)]), "centres are 3 wide and the latents"),
        (DOMAINS, json.dumps([KIND | dict(centre=[10**400] * 12)]), "centre of a must be"),
        (DOMAINS, json.dumps([KIND] * (MOST_KINDS + 1)), "it names 51 kinds"),
        (DOMAINS, " " * 4_000_001, "it has more than 4 MB"),
        (METRICS, "[]", "must hold a JSON object"),
        (METRICS, DEEP, METRICS),
        (METRICS, "\xff", "is not JSON"),
        (HISTORY, "nonsense\n", "line 1"),
        (HISTORY, DEEP + "\n", "line 1"),
        (HISTORY, f'{{"kimg": {LONG}, "grid": "a.png"}}\n', "line 1: kimg must be a number"),
        (HISTORY, json.dumps(dict(kimg=1, grid="a" * 5000)) + "\n", "File name too long"),
        (CARD, " " * 1_000_001, "it has more than 1 MB"),
    ],
)
def test_a_broken_file_is_left_out_and_named(G, tmp_path, name, text, sentence):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    told = read_told(tmp_path, G, is_copy=True)
    (words,) = told.left_out
    assert words.startswith(f"{name} is left out: ") and sentence in words
    assert str(tmp_path) not in words and len(words) < 500
    assert not (told.domains or told.figures or told.history or told.card)


def test_the_page_opens_without_what_is_broken(G, tmp_path):
    """And says so, on top and in the tab Model."""
    G.save_pretrained(tmp_path)
    for name in (DOMAINS, METRICS, HISTORY):
        (tmp_path / name).write_text("nonsense\n")
    model = load_model(str(tmp_path))
    assert model.problem == "" and len(problems(model)) == 3
    page = json.dumps(build_page(model).get_config_file(), default=str)
    assert all(page.count(f"{name} is left out: ") == 2 for name in (DOMAINS, METRICS, HISTORY))


def test_figures_that_cannot_be_are_not_shown(G):
    """A score has at most three digits, whatever a file says."""
    figures = {"score": 1e308, "samples": 10**400, "EQ-T": True, "EQ-R": "<b>"}
    assert "| measured | not yet |" in facts(Model(G, "a", figures=figures))
    assert words_of(Moment(1, "a.png", figures)) == "After 1 thousand pictures, not measured"
    assert equivariance_words(figures) == ""


def test_the_name_of_a_kind_is_no_markup(G, tmp_path):
    name = '![x](https://e.org/y.png) <img src="z"> | \ud800 photographs'
    (tmp_path / DOMAINS).write_text(json.dumps([KIND | dict(name=name)]))
    (kind,) = read_told(tmp_path, G, is_copy=True).domains
    assert kind.name.startswith("x(https") and not set("![]<>|\ud800") & set(kind.name)
