"""What each ingredient for little data is worth: python tests/benchmarks/ablation.py multi30k runs/ablation ablation.md

On the first 10,000 pairs, German to English, each ingredient is added to ``experiment=plain``, and taken from the
default recipe, or added to it where it is off by default. As many runs as the processor has cores go side by side, one
thread each; stopped and started again, it goes on. The tables have test BLEU, with paired bootstrap against their
first rows. "plain" or "default" after the page makes one table alone.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMMON = "data=multi30k data.limit=10000 sizes.hidden=256 training.epochs=10"
DEFAULTS = {  # what the default recipe has, and what it is without
    "dropout": ("sizes.dropout=0.3", "sizes.dropout=0"),
    "shared embeddings, tied readout": (
        "model.share_embeddings=true model.tie_readout=true",
        "model.share_embeddings=false model.tie_readout=false",
    ),
    "batches of 1,024 in place of 2,048 tokens": ("training.batch_tokens=1024", "training.batch_tokens=2048"),
    "label smoothing": ("training.label_smoothing=0.1", "training.label_smoothing=0"),
    "moving average": ("training.moving_average=0.999", "training.moving_average=null"),
    "a rate that falls from 2e-3, in place of 1e-3": (
        "scheduler=linear optimizer.lr=2e-3",
        "scheduler=constant optimizer.lr=1e-3",
    ),
}
OTHERS = {
    "4,000 pieces in place of 8,000": "sizes.vocabulary=4000",
    "16,000 pieces in place of 8,000": "sizes.vocabulary=16000",
    "word dropout 0.1": "model.source_word_dropout=0.1 model.target_word_dropout=0.1",
    "BPE-dropout 0.05": "tokenizer.sampling=0.05",
    "dropout of encoder states 0.2": "model.context_dropout=0.2",
    "dropout of recurrent weights 0.2": "model.rnn.weight_dropout=0.2",
    "variational dropout": "model.variational=true",
    "layer normalisation": "model/rnn=lstm_layernorm",
    "Bahdanau's decoder": "model=bahdanau",
}


def rows() -> dict[str, dict[str, str]]:
    """The overrides of every row of the two tables, the recipe itself first."""
    plain = {"plain": "", **{f"+ {name}": on for name, (on, _) in DEFAULTS.items()}}
    plain |= {f"+ {name}": option for name, option in OTHERS.items()}
    default = {"default": "", **{f"- {name}": off for name, (_, off) in DEFAULTS.items()}}
    default |= {f"+ {name}": option for name, option in OTHERS.items()}
    return {
        "plain": {name: f"experiment=plain {options}" for name, options in plain.items()},
        "default": default,
    }


def train(folder: Path, options: str, data: str) -> None:
    """Train one row, or go on with it, unless it is there."""
    if (folder / "result.json").exists():
        return
    command = f"{COMMON} data.path={data} {options} runs_dir={folder.parent} name={folder.name}".split()
    if folder.exists():
        command = [f"resume={folder}"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    with folder.with_suffix(".log").open("w", encoding="utf-8") as log:
        subprocess.run([sys.executable, "-m", "s2s.train", *command], stdout=log, stderr=log, env=alone, check=True)
    print(folder.name, options, flush=True)


def table(folders: dict[str, Path]) -> list[str]:
    """Compare the rows of a table with its first."""
    runs = ",".join(map(str, folders.values()))
    command = [sys.executable, "-m", "s2s.evaluate", f"run=[{runs}]", "metrics=[bleu]", "format=json"]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    lines = ["| recipe | test BLEU | difference | p | validation BLEU | minutes |", "|---|---:|---:|---:|---:|---:|"]
    for (name, folder), system in zip(folders.items(), json.loads(said)["systems"], strict=True):
        records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        valid = max(record["bleu"]["value"] for record in records if record["split"] == "valid")
        minutes = json.loads((folder / "result.json").read_text(encoding="utf-8"))["training"]["seconds"] / 60
        score, against = system["scores"]["BLEU"], system.get("against_baseline", {}).get("BLEU")
        difference = f"{against['value']:+.2f} | {against['bootstrap_p']:.3f}" if against else "|"
        test = f"{score['value']:.2f} ± {score['confidence']:.2f}"
        lines.append(f"| {name} | {test} | {difference} | {valid:.2f} | {minutes:.1f} |")
    return lines


def main() -> None:
    """Train what is missing and write both tables."""
    data, runs, page = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    runs.mkdir(parents=True, exist_ok=True)
    folders = {
        recipe: {name: runs / f"{recipe}{number:02}" for number, name in enumerate(rows()[recipe])}
        for recipe in sys.argv[4:] or rows()
    }
    # Rows of both recipes by turns, so that what is there when time runs out can be compared.
    numbered = [(recipe, name) for recipe, of_recipe in folders.items() for name in of_recipe]
    numbered.sort(key=lambda row: folders[row[0]][row[1]].name[-2:])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda row: train(folders[row[0]][row[1]], rows()[row[0]][row[1]], data), numbered))
    page.write_text("\n\n".join("\n".join(table(of_recipe)) for of_recipe in folders.values()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
