"""Write the tiny collection the whole-graph test runs on: ``python tests/data/make_corpus.py FOLDER``.

Forty short Korean help texts from hand-written parts, a heading each as real query, and an English
line beside each. Small enough to read, varied enough to rank.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TOPICS = [
    ("셀 보호", "cell protection", "셀(cell)을 잠그면 다른 사람이 내용을 바꿀 수 없습니다"),
    ("암호 설정", "password setting", "암호(password)를 정하면 파일을 열 때 물어봅니다"),
    ("표 삽입", "insert table", "표(table)를 문서에 넣고 행과 열의 수를 고릅니다"),
    ("글꼴 변경", "font change", "글꼴(font)을 바꾸면 글자의 모양이 달라집니다"),
    ("인쇄 미리 보기", "print preview", "인쇄(print)하기 전에 쪽의 모습을 확인합니다"),
    ("차트 만들기", "create chart", "차트(chart)는 숫자를 그림으로 보여 줍니다"),
    ("매크로 실행", "run macro", "매크로(macro)는 되풀이되는 일을 대신합니다"),
    ("쪽 번호", "page number", "쪽 번호(page number)는 바닥글에 들어갑니다"),
    ("맞춤법 검사", "spell check", "맞춤법 검사(spell check)는 틀린 낱말에 밑줄을 긋습니다"),
    ("그림 자르기", "crop image", "그림(image)의 필요 없는 부분을 잘라 냅니다"),
]
PLACES = [
    ("스프레드시트", "spreadsheet", "시트의 도구 메뉴에서 고릅니다. 여러 시트를 함께 선택해도 됩니다."),
    ("문서", "text document", "편집 창의 서식 메뉴에서 고릅니다. 단락마다 다르게 정할 수 있습니다."),
    ("프레젠테이션", "presentation", "슬라이드의 오른쪽 창에서 고릅니다. 발표할 때도 그대로 보입니다."),
    ("데이터베이스", "database", "양식의 속성 창에서 고릅니다. 저장하면 모든 레코드에 적용됩니다."),
]


def write(folder: Path) -> Path:
    """Write the BEIR folder with 40 documents, 40 queries and judgements, and aligned text."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    corpus, queries, judged, parallel = [], [], [], []
    for place, place_en, where in PLACES:
        for topic, topic_en, what in TOPICS:
            number = len(corpus)
            page, query = f"page/{number:02d}", f"q{number:02d}"
            corpus.append(
                {"_id": page, "title": "", "text": f"{place}에서 {what}. {where} {topic} 기능은 되돌릴 수 있습니다."}
            )
            queries.append({"_id": query, "text": f"{place} {topic}"})
            judged.append(f"{query}\t{page}\t1")
            parallel.append({"ko": topic, "en": topic_en, "source": "block", "key": page})
            parallel.append({"ko": place, "en": place_en, "source": "block", "key": page})
    _lines(folder / "corpus.jsonl", [json.dumps(row, ensure_ascii=False) for row in corpus])
    _lines(folder / "queries.jsonl", [json.dumps(row, ensure_ascii=False) for row in queries])
    _lines(folder / "parallel.jsonl", [json.dumps(row, ensure_ascii=False) for row in parallel])
    _lines(folder / "qrels.tsv", ["query-id\tcorpus-id\tscore", *judged])
    return folder


def _lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
