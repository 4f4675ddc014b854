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
    "psi_info": "0 is the average face; near 1 they vary more, with more flaws (truncation psi)",
    "own": "Each like its own kind",
    "own_info": "the average face is that of its kind; off: that of all faces",
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
    "own_seed": "empty: your own face",
    "good_faces": "Good faces; click one to take it",
    "weight_info": "0 is face A, 1 is face B (mixing weight)",
    "bands": "Mix shape, features and colour apart",
    "bands_info": "Each is added to the mixing weight of its layers: to the left is more of A, to "
    "the right more of B. Where it is all of one already, nothing changes.",
    "bands_off": "All back to 0",
    "band_0": "Shape",
    "band_1": "Features",
    "band_2": "Texture and colour",
    "layers": "Layer by layer",
    "layers_info": "In the order in which they draw: 0 places and turns the face, the last gives "
    "it its colours.",
    "strip": "On the way from A to B; click a face to take its weight",
    "save_mix": "Save the mix",
    "save_side": "Pixels wide",
    "share_mix": "Share",
    "open_saved": "Open a saved mix",
    "share_info": "The address of this page opens this very mix. So does a picture of it that you "
    "saved: drop it here. A face of your own is in the picture only, never in the address.",
    "saved_mix": "A saved mix",
    # Grid
    "grid_info": "Every crossing is the mix of the face above it and the face left of it.",
    "grid_size": "Faces each way",
    "grid_size_info": "more are added by chance",
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
    "ways": "Ways to change it, from -3 to 3 (standard deviations). **Common** is what differs "
    "most among faces, **strong** what the network answers to most. Sliders add up; a click on a "
    "face gives just that face.",
    "common_way": "Common",
    "strong_way": "Strong",
    "saved_way": "Saved",
    "directions": "Keep this way of changing a face, or use one that you kept",
    "direction_name": "Name of the direction",
    "save": "Save it",
    "direction_file": "The direction, to keep",
    "saved_direction": "A saved direction",
    # Film
    "film_info": "A film that goes from face to face and back to the first.",
    "film_faces": "Faces, by their seeds",
    "film_faces_info": "1 to 8; mine is your own face, as Mix has it",
    "film_add": "Add the two faces of Mix",
    "film_steps": "Frames from face to face",
    "film_speed": "Frames a second",
    "film_format": "Format",
    "film_make": "Make the film",
    "film": "Film",
    # Your face
    "upload_info": "The face in your picture is cut out as the training faces were; then the "
    "network looks for the one nearest to it that it can draw, for you to mix with others. A small "
    "network finds something like it at best.",
    "picture": "Your picture",
    "example": "Or this one: Eileen Collins, by NASA",
    "your_face": "Your face",
    "faces_in_it": "Faces in it",
    "found": "What was found",
    "find": "Find it",
    "stop": "Stop",
    "use_a": "Mix as A",
    "use_b": "Mix as B",
    "private": "Nobody else sees your picture; it is deleted about an hour after your visit.",
    # Model
    "repo": "Another one of the Hub",
    "repo_info": "a public generator that training/train.py or push_to_hub put there; empty for "
    "the one of this page",
    "revision": "Revision",
    "revision_info": "a branch, tag or commit; empty for the newest",
    "load": "Load it",
    "psis": "How unusual: the same faces at 0, 0.25, 0.5, 0.65, 0.8 and 1 (truncation psi)",
    "training": "How it was trained",
    "moment": "Moment",
    "history": "faces of the same seeds as the training went on",
    "card": "Its card",
}
WORDS = gr.I18n(en=EN)
# Pictures that answer to something else than what is told now are dimmed while this is said.
DRAWING = "*Drawing …*"
KINDS = {"cartoon": "drawings", "photo": "photographs"}  # folders of training pictures, to people


def kind_name(name: str) -> str:
    """Of a kind of faces, as people say it."""
    return KINDS.get(name, name)


def english(label: I18nData | str) -> str:
    """Of a label that has a key, or is one already."""
    return EN[label.key] if isinstance(label, I18nData) else label
