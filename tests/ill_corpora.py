"""Tiny corpora of German and Chinese, sound and ill, as files."""

from s2s.text.corpus import Corpus

SOUND = {
    "train": [
        ("Der Hund schläft im Garten.", "狗在花园里睡觉。"),
        ("Die Lehrerin liest ein Buch.", "老师在看一本书。"),
        ("Wir fahren morgen nach Berlin.", "我们明天去柏林。"),
        ("Er trinkt jeden Morgen Kaffee.", "他每天早上喝咖啡。"),
        ("Das Wetter ist heute sehr schön.", "今天天气非常好。"),
        ("Anna kauft auf dem Markt Äpfel.", "安娜在市场买苹果。"),
        ("Mein iPhone ist leider kaputt.", "我的iPhone坏了。"),
        ("Ja.", "是。"),
        ("Tom!", "Tom！"),
    ],
    "valid": [("Die Katze sitzt auf dem Dach.", "猫坐在屋顶上。"), ("Ich habe großen Hunger.", "我很饿。")],
    "test": [("Der Zug kommt um drei Uhr an.", "火车三点到。"), ("Sie spielt gern Klavier.", "她喜欢弹钢琴。")],
}


def write_corpus(folder, *, splits=SOUND, ending="\n", **more):
    """Write sound splits, with more pairs at the end of some: ``train=[(source, target)]``."""
    folder.mkdir(exist_ok=True)
    for split, pairs in splits.items():
        for side, language in enumerate(("de", "zh")):
            lines = [pair[side] for pair in [*pairs, *more.get(split, [])]]
            data = [line if isinstance(line, bytes) else line.encode() for line in lines]
            (folder / f"{split}.{language}").write_bytes(b"".join(line + ending.encode() for line in data))
    return folder


def german_chinese(folder, **options):
    return Corpus(source="de", target="zh", label="tiny", path=str(folder), **options)
