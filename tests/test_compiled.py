"""Compiled code of other sources is forgotten."""

from napari_orient.compiled import forget_stale_code


def test_compiled_code_goes_when_any_source_changes(tmp_path):
    package = tmp_path / "diffraction" / "matching"
    (package / "__pycache__").mkdir(parents=True)
    source, compiled = package / "kernel.py", package / "__pycache__" / "climbing.climb.nbi"
    other = package / "__pycache__" / "kernel.cpython-311.pyc"
    source.write_text("one = 1")
    compiled.write_text("machine code")
    other.write_text("byte code")
    assert forget_stale_code(tmp_path)  # nobody knows of what it is
    assert not compiled.exists()
    assert other.exists()
    compiled.write_text("machine code")
    assert not forget_stale_code(tmp_path)
    assert compiled.exists()
    source.write_text("one = 2")  # of the same size
    assert forget_stale_code(tmp_path)
    assert not compiled.exists()
