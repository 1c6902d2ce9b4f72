"""The options of ``kosparse opensearch``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kosparse.export.opensearch_json import INDEX

_LATEST = Path(".kosparse/runs/latest")
_CLUSTER = "The cluster: OPENSEARCH_URL, OPENSEARCH_USERNAME, OPENSEARCH_PASSWORD, OPENSEARCH_CA_CERTS."


def add(commands: Any) -> None:
    """Add the command and its three actions."""
    parser = commands.add_parser(
        "opensearch", help="set up an OpenSearch cluster from a finished run, index and search there", epilog=_CLUSTER
    )
    actions = parser.add_subparsers(required=True, metavar="<action>")

    apply = actions.add_parser(
        "apply", help="bring template, pipelines, index and synonyms up to date", epilog=_CLUSTER
    )
    apply.add_argument("--bundle", type=Path, default=_LATEST / "bundle", help="folder (default %(default)s)")
    apply.add_argument(
        "--model-id", default="", help="of the document encoder registered there: its ingest pipeline too"
    )
    apply.set_defaults(command=_apply)

    index = actions.add_parser("index", help="send the passages that are not there yet, or changed", epilog=_CLUSTER)
    index.add_argument("--run", type=Path, default=_LATEST, help="a finished run's folder (default %(default)s)")
    index.add_argument("--top-k", type=int, default=0, help="terms kept per passage (default 0: all)")
    index.add_argument("--max-ratio", type=float, default=0.0, help="share of the largest weight that is kept")
    index.add_argument("--delete-others", action="store_true", help="delete passages that the run does not have")
    index.set_defaults(command=_index)

    search = actions.add_parser("search", help="search there, the query weighed here", epilog=_CLUSTER)
    search.add_argument("query", help="what to look for")
    search.add_argument("-k", type=int, default=10, help="how many documents (default 10)")
    search.add_argument("--hybrid", action="store_true", help="with BM25 and the synonyms")
    search.add_argument("--run", type=Path, default=_LATEST, help="a finished run's folder (default %(default)s)")
    search.add_argument("--json", action="store_true", help="one JSON object per line")
    search.set_defaults(command=_search)

    for action in (apply, index, search):
        action.add_argument("--index", default=INDEX, help="its name (default %(default)s)")


def _apply(options: argparse.Namespace) -> None:
    from kosparse.commands import opensearch

    opensearch.apply(options.bundle, options.index, options.model_id)


def _index(options: argparse.Namespace) -> None:
    from kosparse.commands import opensearch
    from kosparse.sparse.pruning import Pruning

    pruning = Pruning(options.top_k, options.max_ratio)
    opensearch.index(options.run, options.index, pruning, delete_others=options.delete_others)


def _search(options: argparse.Namespace) -> None:
    from kosparse.commands import opensearch

    opensearch.search(options.query, options.run, options.index, options.k, options.hybrid, as_json=options.json)
