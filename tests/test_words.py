"""The page's words, all of them in one table."""

import json
import re

from app import build_page
from playground.about import status
from playground.model import load_model
from playground.words import EN, kind_name


def test_every_word_of_the_page_is_in_the_table_and_none_is_left_over():
    config = json.dumps(build_page(load_model()).get_config_file(), default=str)
    used = set(re.findall(r'translation_metadata[\\"]+, [\\"]+key[\\"]+: [\\"]+(\w+)', config))
    assert used == set(EN)


def test_kinds_of_faces_are_named_as_people_say_it():
    assert "It knows **drawings** and **photographs**." in status(load_model())
    assert kind_name("statues") == "statues"
