"""The file that tells kinds of faces."""

import json
from dataclasses import replace

import pytest
import torch

from stylegan.domains import (
    DOMAINS,
    Domain,
    load_domains,
    looks_of,
    own_centres,
    save_domains,
)
from stylegan.latents import truncate


def test_kinds_come_back_as_they_were_written(tmp_path):
    centre = torch.tensor([0.5, -1.25, 12.0])
    kinds = [Domain("photo", centre, 0.75, [3, 0, 7], [1.0, 0.5, 0.625])]
    kinds.append(Domain("cartoon", -centre, 0.25, [2, 4], [0.875, 1.0], [4], level=True))
    look = torch.tensor([1.5, -2.0, 0.125, 7.0])
    kinds[1] = replace(kinds[1], look=look)
    save_domains(kinds, tmp_path)
    for found, kind in zip(load_domains(tmp_path), kinds, strict=True):
        assert torch.equal(found.centre, kind.centre)
        assert (found.name, found.share) == (kind.name, kind.share)
        assert (found.seeds, found.scores) == (kind.seeds, kind.scores)
        assert (found.shown, found.level) == (kind.shown, kind.level)
    found = load_domains(tmp_path)
    assert found[0].look is None and torch.equal(found[1].look, look)
    assert torch.equal(looks_of(found[1:], 3), look[None])
    for unknown in (found, []):  # not of all, or of none
        assert torch.equal(looks_of(unknown, 3), torch.zeros(1, 4))
    ws = torch.zeros(2, 5, 3)
    assert truncate(ws, load_domains(tmp_path)[0].centre, 0.5).shape == ws.shape


def test_weights_without_the_file_have_no_kinds(tmp_path):
    assert load_domains(tmp_path) == []


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"name": 7}, "a name and a share"),
        ({"share": 1.5}, "a name and a share"),
        ({"centre": []}, "centre of a must be a list of numbers"),
        ({"centre": [1, "2"]}, "centre of a must be a list of numbers"),
        ({"centre": [1, float("inf")]}, "centre of a must be a list of numbers"),
        ({"centre": [1]}, "centres must be of one length"),
        ({"seeds": [1, -1]}, "seeds of a must lie between"),
        ({"seeds": [1, 2**32]}, "seeds of a must lie between"),
        ({"scores": [1]}, "a needs a score from 0 to 1 for each seed"),
        ({"scores": [1, 2]}, "a needs a score from 0 to 1 for each seed"),
        ({"centre": [1, 10**400]}, "centre of a must be a list of numbers, none above 1e"),
        ({"centre": [1, 1e300]}, "centre of a must be a list of numbers, none above 1e"),
        ({"shown": [3]}, "shown seeds of a must be a list of some of its seeds"),
        ({"shown": [1, 1]}, "shown seeds of a must be a list of some of its seeds"),
        ({"shown": 1}, "shown seeds of a must be a list of some of its seeds"),
        ({"look": 1}, "look of a must be a list of one number more than its centre"),
        ({"look": [1, 2]}, "look of a must be a list of one number more than its centre"),
        ({"look": [1, 2, 1e7]}, "look of a must be a list of .*, none above 1e"),
        ({"level": 1}, "level of a must be true or false"),
        ({"seeds": 3}, "seeds and scores of a must be lists"),
        ({"seeds": "", "scores": ""}, "seeds and scores of a must be lists"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, reason):
    good = dict(name="a", share=0.5, centre=[1, 2.5], seeds=[1, 2], scores=[1, 0])
    (tmp_path / DOMAINS).write_text(json.dumps([good, good | change]))
    with pytest.raises(ValueError, match=reason) as refused:
        load_domains(tmp_path)
    assert str(tmp_path / DOMAINS) in str(refused.value)


@pytest.mark.parametrize(
    "text", ["no JSON", "7", '{"a": 1}', '[{"name": "a"}]', "[" * 100_000, f"[{'9' * 5000}]"]
)
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / DOMAINS).write_text(text)
    with pytest.raises(ValueError, match="does not list kinds of faces"):
        load_domains(tmp_path)


def test_each_latent_finds_the_centre_it_lies_closest_to():
    centres = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    domains = [Domain(name, c, 0.5, [], []) for name, c in zip("ab", centres, strict=True)]
    ws = torch.tensor([[-0.2, 9.0], [0.1, 0.0], [5.0, 5.0]])[:, None].expand(-1, 4, -1)
    torch.testing.assert_close(own_centres(domains, ws)[:, 0], centres[[1, 0, 0]])
    listed = [replace(domains[0], seeds=[7]), replace(domains[1], seeds=[8])]  # not 9
    torch.testing.assert_close(own_centres(listed, ws, [7, 8, 9])[:, 0], centres[[0, 1, 0]])
    assert truncate(ws, own_centres(domains, ws), 0.5).shape == ws.shape
    with pytest.raises(ValueError, match="centres are 2 wide and the latents 3"):
        own_centres(domains, torch.zeros(1, 4, 3))
