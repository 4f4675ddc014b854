"""The comparison of one pass with PyTorch's own steps."""

import json

import pytest

from benchmarks import one_pass
from stylegan import kernels


def test_both_forms_are_timed_and_the_usual_one_is_back_afterwards(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite", reason="needs LLVM: pip install llvmlite")
    monkeypatch.setattr(one_pass, "DRAWN", 8)
    monkeypatch.setattr(one_pass, "JUDGED", 8)
    monkeypatch.setattr(one_pass, "keep_freed_memory", lambda: None)  # of this whole process
    seen, before = [], kernels.compiled
    monkeypatch.setattr(
        one_pass, "cpu_ms", lambda work: work() or seen.append(kernels.compiled) or 1
    )
    one_pass.main(["--batch", "1", "--repeat", "1", "--out", str(tmp_path / "report.json")])
    assert seen == list(one_pass.FORMS.values()) * (4 * 10)  # 3 rounds warm up; 5 in 2 types
    assert kernels.compiled is before
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["results"]) == 10
    assert all(found["ms"] == dict.fromkeys(one_pass.FORMS, 1) for found in report["results"])


def test_it_asks_for_llvmlite(monkeypatch, capsys):
    monkeypatch.setattr(kernels, "compiled", kernels.Programs)
    with pytest.raises(SystemExit) as stop:
        one_pass.main([])
    assert stop.value.code == 2 and "pip install llvmlite" in capsys.readouterr().err
