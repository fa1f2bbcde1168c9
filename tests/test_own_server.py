"A process with an engine of its own can make a run and go on."

from tmdb_analysis.core.engine import one_server, session
from tmdb_analysis.core.settings import settings


def test_a_session_works_after_a_server_for_a_run():
    assert session().range(3).count() == 3
    with one_server(settings().spark):
        assert session().range(4).count() == 4
    assert session().range(5).count() == 5
