"""The package's public face."""

import subprocess
import sys

import pytest

import s2s.report


def test_importing_the_package_loads_neither_sacrebleu_nor_matplotlib() -> None:
    program = "import sys, s2s.report; print(sorted({'sacrebleu', 'matplotlib', 'torch'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_sorted_and_can_be_had() -> None:
    assert s2s.report.__all__ == sorted(s2s.report.__all__)
    for name in s2s.report.__all__:
        assert getattr(s2s.report, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rouge'"):
        _ = s2s.report.rouge
