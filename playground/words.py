"""What the page says, by key: English here, ready for other languages.

Another language is another dictionary beside EN, `gr.I18n(en=EN, de=DE)`; the browser picks. Gradio
translates what is laid out, not the sentences that Python answers with, which stay English.
"""

import gradio as gr
from gradio.i18n import I18nData

EN = {
    "what_to_do": "Pick two faces, slide from one to the other.",
    "pixels": "Show the pixels",
    "tab_mix": "Mix",
    "tab_grid": "Grid",
    "tab_explore": "Explore",
    "tab_film": "Film",
    "tab_upload": "Your face",
    "tab_model": "Model",
    # several tabs
    "weight": "From A to B",
    "psi": "How unusual",
    "psi_info": "0 is the average face; near 1 faces vary more, with more flaws (truncation psi)",
    "own": "Keep each face like its own kind",
    "own_info": "on: 0 is the average face of its kind; off: the average of all faces",
    # Mix
    "face_a": "Face A",
    "face_b": "Face B",
    "the_mix": "The mix",
    "seed_a": "Seed A",
    "seed_b": "Seed B",
    "another_a": "Another A",
    "another_b": "Another B",
    "save_a": "Save A",
    "save_b": "Save B",
    "own_seed": "empty: a face without one",
    "good_faces": "Good faces; click one to take it",
    "weight_info": "0 is face A, 1 is face B (mixing weight)",
    "bands": "Mix shape, features and colour separately",
    "bands_info": "Left gives more of A, right gives more of B. Each slider adds to the mixing "
    "weight of its layers, which stays between 0 and 1.",
    "bands_off": "All back to 0",
    "band_0": "Shape",
    "band_1": "Features",
    "band_2": "Texture and colour",
    "layers": "Layer by layer",
    "layers_info": "The layers draw in this order: 0 places and turns the face, the last ones "
    "give it its colours.",
    "strip": "From A to B; click a face to take its weight",
    "save_mix": "Save the mix",
    "save_side": "Pixels wide",
    "share_mix": "Share",
    "open_saved": "Open a saved mix",
    "share_info": "Drop a picture that this page saved, and you get its mix back. The address of "
    "the page does the same. Your own face is in the picture only, never in the address.",
    "saved_mix": "A saved mix",
    # Grid
    "grid_info": "Each face in the middle mixes the one above it with the one on its left.",
    "grid_size": "Faces each way",
    "grid_size_info": "the page adds faces by chance",
    "other_faces": "Other faces",
    "across": "Seeds across",
    "down": "Seeds down",
    "seeds_info": "1 to 8, then Enter",
    "grid_weight": "More of which",
    "grid_weight_info": "0 is the face above, 1 is the face on the left (mixing weight)",
    "grid_click": "Click a face to open it in Mix.",
    "grid": "Grid of faces",
    # Explore
    "the_face": "The face",
    "seed": "Seed",
    "another": "Another face",
    "right": "Right, %",
    "down_by": "Down, %",
    "turn": "Turn, °",
    "ways": "Each row is one change of the face, from -3 to 3 (standard deviations); 0 is the face "
    "as it is. Click a face to get just that one. Sliders add up. Mix as A and Mix as B take the "
    "changed face into Mix, neither moved nor turned.",
    "common_ways": "**What faces differ in most**, the most common first",
    "strong_ways": "**What changes the picture most**, the strongest first",
    "way": "Change",
    "saved_way": "Saved",
    "directions": "Save what the sliders do, or open what you saved",
    "direction_name": "Its name",
    "save": "Save it",
    "direction_file": "Your file",
    "saved_direction": "A saved file",
    # Film
    "film_info": "The film goes from face to face and back to the first.",
    "film_faces": "Faces, by their seeds",
    "film_faces_info": "1 to 8 seeds; write mine for your own face",
    "film_add": "Add the two faces of Mix",
    "film_steps": "Frames from face to face",
    "film_speed": "Frames a second",
    "film_format": "Format",
    "film_make": "Make the film",
    "film": "Film",
    # Your face
    "upload_info": "The page cuts the face out of your picture. Then it looks for the most similar "
    "face that the network can draw, and you can mix that one with others. A small network finds "
    "a rough likeness at best.",
    "picture": "Your picture, up to 10 MB",
    "example": "Or this one: Eileen Collins, by NASA",
    "your_face": "Your face",
    "faces_in_it": "Faces in it",
    "found": "What was found",
    "find": "Find it",
    "stop": "Stop",
    "use_a": "Mix as A",
    "use_b": "Mix as B",
    "private": "Nobody else sees your picture. The page deletes it about an hour after your visit.",
    # Model
    "repo": "Another model of the Hub",
    "repo_info": "a public one that training/train.py or push_to_hub sent there; empty for the "
    "model of this page",
    "revision": "Revision",
    "revision_info": "a branch, tag or commit; empty for the newest",
    "load": "Load it",
    "psis": "How unusual: the same faces at 0, 0.25, 0.5, 0.65, 0.8 and 1 (truncation psi)",
    "training": "How it was trained",
    "moment": "Moment",
    "history": "faces of the same seeds as the training went on",
    "card": "The card of the model",
}
WORDS = gr.I18n(en=EN)
# Pictures that answer to something else than what is told now are dimmed while this is said.
DRAWING = "*Drawing …*"
LOOKING = "*Looking …*"
KINDS = {"cartoon": "drawings", "photo": "photographs"}  # folders of training pictures, to people


def kind_name(name: str) -> str:
    """Of a kind of faces, as people say it."""
    return KINDS.get(name, name)


def english(label: I18nData | str) -> str:
    """Of a label that has a key, or is one already."""
    return EN[label.key] if isinstance(label, I18nData) else label
