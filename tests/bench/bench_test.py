"""The benchmark judges itself: what did not arrive does not count, and who
fails is named."""

import json
import os
import shutil
import unittest
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional
from xml.etree import ElementTree

import bench
from files import Place, Sample, make_samples
from measuring import (FAILED, INVALID, OK, Run, describe, in_order_of_round,
                       run_in_turns, run_once)
from peer import AckDelay, Delivery, Peer, Workshop, shares
from peer_product import ack_delay_of
from peers import PEERS
from pki import Pki
from plot import round_up, scale_plot
from processes import Command, PeerFailed, Server, run_all
from report import as_markdown, as_text, put_markdown, scenario_table
from results import figures_of, ratios_of, summarize
from scale import ScaleRun, joined, streams_at_once
from scenarios import Scenario

SCENARIO = Scenario("A4", 3, 1000, 2)


class Copier(Peer):
    """Keeps every file as it is."""

    name = "product"

    def __init__(self) -> None:
        super().__init__(Workshop(Path(), Pki.__new__(Pki), 10.0))

    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        self.path("store").mkdir()
        for sample in samples:
            shutil.copyfile(sample.path, self.stored(sample))
        self.spoil(self.stored(samples[1]))
        return Delivery(0.25, seconds=0.5)

    def spoil(self, stored: Path) -> None:
        pass


class Shortener(Copier):
    name = "grpc_sink"

    def spoil(self, stored: Path) -> None:
        os.truncate(stored, 999)


class Changer(Copier):
    def spoil(self, stored: Path) -> None:
        stored.write_bytes(bytes(1000))


class Loser(Copier):
    def spoil(self, stored: Path) -> None:
        stored.unlink()


class Unstartable(Copier):
    name = "sftp"

    def start(self, directory: Path) -> None:
        super().start(directory)
        self.server = Server(["/nonexistent/sshd"], directory / "log")
        self.server.wait_for_port_file(directory / "port")


class Quitter(Copier):
    def put(self, samples: list[Sample], parallel: int) -> Delivery:
        words = ["sh", "-c", "echo no such host >&2; exit 7"]
        run_all([Command(words, self.path("out"), self.path("log"))], 10.0)
        raise AssertionError("it did not fail")


class BenchTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.parent = Path(temporary.name)
        self.place = Place(self.parent)
        self.samples = make_samples(self.place.root / "a", 3, 1000)

    def run_of(self, peer: Peer) -> Run:
        return run_once(self.place, peer, SCENARIO, self.samples, 1)


class RunTest(BenchTest):
    def test_a_run_whose_files_arrived_counts(self) -> None:
        run = self.run_of(Copier())
        self.assertEqual((run.status, run.reason), (OK, ""))
        self.assertAlmostEqual(run.rate, 3000 / 1e6 / 0.5)
        self.assertAlmostEqual(run.client_cpu_s_per_gb, 0.25 / 3000 * 1e9)

    def test_a_short_file_makes_the_run_invalid(self) -> None:
        run = self.run_of(Shortener())
        self.assertEqual(run.status, INVALID)
        self.assertIn("a-00001.bin: 999 bytes are stored of 1000", run.reason)
        self.assertEqual(run.rate, 0.0)

    def test_an_altered_file_makes_the_run_invalid(self) -> None:
        run = self.run_of(Changer())
        self.assertEqual(run.status, INVALID)
        self.assertIn("a-00001.bin: other bytes are stored", run.reason)

    def test_a_missing_file_makes_the_run_invalid(self) -> None:
        run = self.run_of(Loser())
        self.assertEqual(run.status, INVALID)
        self.assertIn("1 of 3 files are wrong: a-00001.bin: not stored", run.reason)

    def test_a_peer_that_cannot_start_is_reported_as_failed(self) -> None:
        run = self.run_of(Unstartable())
        self.assertEqual(run.status, FAILED)
        self.assertIn("/nonexistent/sshd", run.reason)

    def test_a_client_that_fails_is_reported_with_its_last_words(self) -> None:
        run = self.run_of(Quitter())
        self.assertEqual(run.status, FAILED)
        self.assertEqual(run.reason, "sh ended with 7: no such host")

    def test_a_client_that_hangs_is_ended(self) -> None:
        command = Command(["sleep", "1000"], self.parent / "o", self.parent / "e")
        with self.assertRaisesRegex(PeerFailed, "sleep was killed"):
            run_all([command], 0.1)

    def test_everybody_runs_in_every_round(self) -> None:
        said: list[str] = []
        runs = run_in_turns(
            self.place, [Copier(), Shortener()], SCENARIO, self.samples, 2, said.append
        )
        self.assertEqual(
            sorted((run.round, run.peer) for run in runs),
            [(1, "grpc_sink"), (1, "product"), (2, "grpc_sink"), (2, "product")],
        )
        self.assertEqual(len(said), 4)

    def test_no_peer_always_follows_the_same(self) -> None:
        peers = [peer(Copier().workshop) for peer in PEERS]
        before = set()
        for number in range(5):
            order = in_order_of_round(peers, number)
            self.assertEqual(set(order), set(peers))
            at = [peer.name for peer in order].index("grpc_sink")
            before.add(order[at - 1].name if at else None)
        self.assertGreaterEqual(len(before), 3)

    def test_nothing_is_left_behind_after_a_failure(self) -> None:
        with self.assertRaises(SystemExit), Place(self.parent) as place:
            make_samples(place.root / "b", 1, 10)
            raise SystemExit(130)
        self.assertEqual(list(self.parent.iterdir()), [self.place.root])


class ResultsTest(BenchTest):
    def test_an_invalid_run_gives_no_figure_and_no_ratio(self) -> None:
        runs = [self.run_of(Copier()), self.run_of(Shortener())]
        summaries = summarize(runs)
        self.assertEqual(summaries["A4", "grpc_sink"].medians, {})
        self.assertEqual(ratios_of(summaries), {})
        figures = figures_of(summaries, {}, None)
        self.assertTrue(all(figure.met is None for figure in figures))
        text = as_text(scenario_table(SCENARIO, summaries))
        self.assertIn("grpc_sink  invalid", text)
        self.assertIn("! grpc_sink: invalid (0 of 1 runs count): 1 of 3", text)

    def test_one_invalid_run_of_several_shows(self) -> None:
        runs = [run("product", 100.0), self.run_of(Shortener()), run("grpc_sink", 50.0)]
        summaries = summarize(runs)
        self.assertEqual(summaries["A4", "grpc_sink"].status, INVALID)
        self.assertEqual(summaries["A4", "grpc_sink"].valid_runs, 1)
        self.assertEqual(ratios_of(summaries)["A4_rate_ratio_to_grpc_sink"], 2.0)

    def test_peers_are_shown_in_their_order_whoever_ran_first(self) -> None:
        runs = [run("disk", 3.0), run("grpc_sink", 2.0), run("product", 1.0)]
        table = scenario_table(SCENARIO, summarize(runs))
        self.assertEqual([row[0] for row in table.rows],
                         ["product", "grpc_sink", "disk"])

    def test_the_median_counts(self) -> None:
        runs = [run("product", rate) for rate in (1.0, 100.0, 7.0)]
        self.assertEqual(summarize(runs)["A4", "product"].rate(), 7.0)

    def test_what_receipts_cost_was_not_measured(self) -> None:
        runs = [
            run("product", 60.0, scenario="B"),
            run("product_without_receipts", 100.0, scenario="B"),
        ]
        summaries = summarize(runs)
        figures = figures_of(summaries, ratios_of(summaries), None)
        met = {figure.what: figure.met for figure in figures}
        self.assertEqual(met["B: files/s with receipts to those without"], False)

    def test_figures_are_met_or_not(self) -> None:
        runs = [run("product", 120.0), run("grpc_sink", 100.0)]
        summaries = summarize(runs)
        figures = figures_of(summaries, ratios_of(summaries), 3.0 * (1 << 20))
        met = {figure.what: figure.met for figure in figures}
        self.assertEqual(met["A4: rate to the gRPC sink's"], True)
        self.assertEqual(met["A4: the aim"], False)
        self.assertEqual(met["256 streams: MiB that each adds to the gateway"], False)
        self.assertEqual(met["A: p99 of Ack delay, ms"], True)
        self.assertIsNone(met["C: rate to the gRPC sink's"])

    def test_a_failed_peer_fails_the_benchmark(self) -> None:
        outcome = bench.Outcome(True, {}, [SCENARIO], [run("product", 1.0)])
        self.assertEqual(outcome.problems(), [])
        outcome.runs.append(self.run_of(Unstartable()))
        self.assertEqual(len(outcome.problems()), 1)
        self.assertIn("A4 sftp: failed: the server ended", outcome.problems()[0])

    def test_all_ratios_say_so_in_their_keys(self) -> None:
        summaries = summarize([run("product", 2.0), run("grpc_sink", 1.0)])
        document = bench.document_of(
            bench.Outcome(False, {}, [SCENARIO]), summaries, ratios_of(summaries), []
        )
        self.assertEqual(len(document["ratios"]), 3)
        self.assertTrue(all("ratio" in key for key in document["ratios"]))
        json.dumps(document)


class AckDelayTest(BenchTest):
    def delay_of(self, *lines: str) -> Optional[AckDelay]:
        events = self.parent / "events"
        events.write_text("\n".join(lines))
        return ack_delay_of(events)

    def test_the_last_summary_counts_and_noise_is_passed_over(self) -> None:
        delay = self.delay_of(
            '{"event":"summary","ack_delay_millis":{"p50":1,"p99":2}}',
            "not json", "[1]", "",
            '{"event":"summary","ack_delay_millis":{"p50":3,"p99":4.5}}',
            '{"event":"progr',
        )
        self.assertEqual(delay, AckDelay(3.0, 4.5))

    def test_a_summary_without_it_is_no_failure(self) -> None:
        self.assertIsNone(self.delay_of('{"event":"summary"}'))
        self.assertIsNone(
            self.delay_of('{"event":"summary","ack_delay_millis":{"p50":null}}')
        )

    def test_no_summary_is_a_failure(self) -> None:
        with self.assertRaises(PeerFailed):
            self.delay_of('{"event":"stored"}')

    def test_of_many_clients_the_worst_p99_counts(self) -> None:
        delays = [AckDelay(1, 10), None, AckDelay(3, 90), AckDelay(2, 20)]
        self.assertEqual(joined(delays), AckDelay(2, 90))
        self.assertIsNone(joined([None]))


class ScaleTest(BenchTest):
    def test_streams_at_once_are_counted_from_the_first_byte_sent(self) -> None:
        events = self.parent / "events"
        lines = [("r1", "progress", 0, 5), ("r1", "progress", 10, 7),
                 ("r2", "progress", 20, 7), ("r1", "stored", 30, 9),
                 ("r3", "progress", 30, 9), ("r4", "progress", 31, 0)]
        events.write_text("\n".join(
            json.dumps({"camera": "c", "recording": name, "event": event,
                        "time_unix_millis": at, "position": position})
            for name, event, at, position in lines))
        self.assertEqual(streams_at_once([events]), 2)

    def test_the_plot_is_a_picture_even_where_something_failed(self) -> None:
        runs = [
            ScaleRun(1, 1, 10, OK, mb_per_s=400.0, server_peak_bytes=1 << 25),
            ScaleRun(16, 1, 10, FAILED, "no <reason>"),
            ScaleRun(2000, 40, 10, OK, mb_per_s=350.0, server_peak_bytes=1 << 30),
        ]
        none: list[ScaleRun] = []
        for some in (runs, runs[1:2], none):
            ElementTree.fromstring(scale_plot(some))
        self.assertIn("2,000", scale_plot(runs))
        self.assertIn("not reported", scale_plot(runs))
        self.assertEqual([round_up(v) for v in (0, 0.3, 99, 120, 501)],
                         [1.0, 0.5, 100, 200, 1000])


class ReportTest(BenchTest):
    def test_markdown_goes_between_the_marks_of_a_file(self) -> None:
        page = self.parent / "page.md"
        page.write_text("head\n<!-- bench: begin -->\nold\n<!-- bench: end -->\ntail\n")
        put_markdown(page, "new\n")
        self.assertEqual(
            page.read_text(),
            "head\n<!-- bench: begin -->\n\nnew\n\n<!-- bench: end -->\ntail\n",
        )

    def test_markdown_is_the_whole_of_another_file(self) -> None:
        page = self.parent / "new.md"
        put_markdown(page, "new\n")
        self.assertEqual(page.read_text(), "new\n")

    def test_a_run_without_ack_delay_has_a_dash(self) -> None:
        bare = replace(run("grpc_sink", 5.0), ack_delay_millis=None)
        table = scenario_table(SCENARIO, summarize([bare]))
        self.assertTrue(as_markdown(table).rstrip().endswith("| - | - |"))

    def test_a_failed_run_is_described_with_its_reason(self) -> None:
        self.assertIn("FAILED: why", describe(Run("B", "nginx", 1, FAILED, "why"), ""))


class SharesTest(unittest.TestCase):
    def test_nothing_is_left_out_and_no_share_is_empty(self) -> None:
        self.assertEqual(shares([1, 2, 3], 2), [[1, 3], [2]])
        self.assertEqual(shares([1], 4), [[1]])


def run(peer: str, rate: float, scenario: str = "A4") -> Run:
    return Run(scenario, peer, 1, OK, seconds=1.0, rate=rate, client_cpu_s_per_gb=1.0,
               server_cpu_s_per_gb=2.0, ack_delay_millis=AckDelay(1.0, 20.0))


if __name__ == "__main__":
    unittest.main()
