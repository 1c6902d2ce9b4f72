"""Small rows for the tests of this folder."""

from __future__ import annotations

from kosparse.records import Pair, Passage

CELL = "셀 보호를 켜려면 서식 메뉴에서 셀을 고른 뒤 보호 탭에서 잠금을 선택하고 시트를 암호로 보호합니다."
MACRO = "매크로를 기록하려면 도구 메뉴의 매크로에서 기록을 누릅니다. 기록한 매크로는 나중에 다시 실행할 수 있습니다."
CHART = "차트의 축 눈금을 바꾸려면 차트를 두 번 누르고 축을 선택한 다음 배율 탭에서 값을 입력합니다."


def passage(text: str = CELL, document: str = "cell", position: int = 0) -> Passage:
    return Passage(id=f"{document}#{position}", document_id=document, position=position, text=text)


def passages() -> list[Passage]:
    return [passage(CELL, "cell"), passage(MACRO, "macro"), passage(CHART, "chart")]


def pair(query: str, document: str = "cell", **changes: object) -> Pair:
    values = {
        "id": f"{document}:{query}",
        "query": query,
        "passage_id": f"{document}#0",
        "document_id": document,
        "origin": "document_to_query",
        "query_type": "keyword",
    }
    return Pair.model_validate({**values, **changes})
