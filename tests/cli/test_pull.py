"""`pythia model pull` against a hub that cuts, stalls, lies and refuses."""
import hashlib
import os
import pathlib
import threading
import unittest

from harness import BINARY, PythiaTest, main, subprocess
from hub import COMMIT, LARGE, Hub, git_id, tiny_bert

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
TINY = (GOLDEN / "tiny_bert.gguf").read_bytes()
SHA = hashlib.sha256(TINY).hexdigest()
FAST = ["--config", "network.stall_timeout=1s"]


class Pull(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        self.hub = self.open_hub({"tiny.gguf": TINY, "README.md": b"# tiny"})
        self.cache = self.dir / "hf" / "hub"
        self.repo = self.cache / "models--org--model"
        self.env.update({"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.dir / "hf"), "NO_PROXY": "127.0.0.1"})

    def open_hub(self, files):
        hub = Hub(files)
        self.addCleanup(hub.close)
        return hub

    def pull(self, what="org/model", *args, code=0, env=None):
        return self.pythia("model", "pull", what, "--json", *FAST, *args, code=code, env=env)

    def leave_part(self, content):
        """What an interrupted download of the model leaves behind."""
        (self.repo / "blobs").mkdir(parents=True)
        (self.repo / "blobs" / (SHA + ".incomplete")).write_bytes(content)

    def assertPulled(self):
        blob = self.repo / "blobs" / SHA
        self.assertEqual(blob.read_bytes(), TINY)
        self.assertFalse((self.repo / "blobs" / (SHA + ".incomplete")).exists())
        link = self.repo / "snapshots" / COMMIT / "tiny.gguf"
        self.assertEqual(os.readlink(link), "../../blobs/" + SHA)
        self.assertEqual((self.home / "models" / "tiny.gguf").read_bytes(), TINY)

    # ---- the plain way ----

    def test_the_only_gguf_of_a_repository_is_pulled_and_linked(self):
        reply = self.pull().json
        self.assertPulled()
        self.assertEqual((self.repo / "refs" / "main").read_text(), COMMIT)
        self.assertEqual(reply["model"]["name"], "tiny")
        self.assertEqual(reply["model"]["sha256"], SHA)
        self.assertEqual((reply["commit"], reply["fetched_bytes"], reply["imported"]), (COMMIT, len(TINY), False))
        self.assertIn("tiny", self.pythia("model", "list", "-q", code=0).out)
        self.assertTrue(self.pythia("embed", "a", "--model", "tiny", code=0).out)

    def test_a_second_pull_fetches_nothing(self):
        self.pull()
        self.hub.seen.clear()
        self.assertEqual(self.pull().json["fetched_bytes"], 0)
        self.assertEqual([where for where, *_ in self.hub.seen], ["list"])

    def test_a_file_a_revision_and_a_name_can_be_given(self):
        reply = self.pull("org/model/tiny.gguf@refs/pr/1", "--name", "other").json
        self.assertEqual(reply["model"]["name"], "other")
        self.assertEqual((self.repo / "refs" / "refs" / "pr" / "1").read_text(), COMMIT)
        self.assertEqual([path for where, _, path, _ in self.hub.seen if where == "head"],
                         ["/org/model/resolve/refs%2Fpr%2F1/tiny.gguf"])
        self.pull("https://huggingface.co/org/model/blob/main/tiny.gguf")
        self.assertPulled()

    def test_a_folder_with_its_weights_in_parts_is_pulled_and_imported(self):
        folder = GOLDEN / "import" / "qwen2"
        self.hub.files.clear()
        self.hub.files.update({p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
        self.hub.files["model-old.txt"] = b"not wanted"
        reply = self.pull("org/model", "--name", "qwen").json
        self.assertEqual((reply["imported"], reply["model"]["arch"], reply["model"]["pooling"]), (True, "qwen2", "last"))
        got = {path for where, _, path, _ in self.hub.seen if where == "head"}
        self.assertEqual(len([path for path in got if path.endswith(".safetensors")]), 3)
        self.assertFalse({"model-old.txt", "expected.txt"} & got)

    def test_a_folder_of_safetensors_is_pulled_and_imported(self):
        self.hub.files.clear()
        self.hub.files.update(tiny_bert())
        reply = self.pull("org/model", "--name", "small").json
        self.assertTrue(reply["imported"])
        self.assertEqual(reply["model"]["dimension"], 8)
        self.assertTrue((self.repo / "snapshots" / COMMIT / "1_Pooling" / "config.json").is_file())
        self.assertEqual(os.readlink(self.repo / "snapshots" / COMMIT / "1_Pooling" / "config.json"),
                         "../../../blobs/" + git_id(self.hub.files["1_Pooling/config.json"]))
        self.assertFalse((self.repo / "snapshots" / COMMIT / "README.md").exists())
        self.assertTrue(self.pythia("embed", "retry soup", "--model", "small", code=0).out)

    def test_text_output_and_progress_name_what_was_done(self):
        run = self.pythia("model", "pull", "org/model", "--progress", "json", code=0)
        self.assertIn("tiny", run.out)
        self.assertIn("pythia model use tiny", run.err)

    # ---- tokens ----

    def test_the_token_stays_at_the_hub(self):
        self.pull(env={"HF_TOKEN": "hf_sesame"})
        self.assertTrue(self.hub.requests("cdn"))
        for where in ("list", "head", "get"):
            for headers in self.hub.requests(where):
                self.assertEqual(headers.get("Authorization"), "Bearer hf_sesame", where)
        for headers in self.hub.requests("cdn"):
            self.assertNotIn("hf_sesame", str(headers))

    def test_a_token_file_is_read_and_a_refusal_does_not_show_it(self):
        (self.dir / "hf").mkdir()
        (self.dir / "hf" / "token").write_text("hf_sesame\n")
        self.hub.fault("list", "status:401")
        run = self.pythia("model", "pull", "org/model")
        self.assertFails(run, 8, "answers 401", "HF_TOKEN=")
        self.assertEqual(self.hub.requests("list")[0]["Authorization"], "Bearer hf_sesame")
        self.assertNotIn("hf_sesame", run.err)

    # ---- faults that pass ----

    def test_a_cut_stream_is_resumed(self):
        self.hub.fault("cdn", "cut:3000", "cut:10")
        self.pull()
        self.assertPulled()
        self.assertEqual([h.get("Range") for h in self.hub.requests("cdn")], [None, "bytes=3000-", "bytes=3010-"])

    def test_a_stalled_stream_is_resumed(self):
        self.hub.fault("cdn", "stall:5000")
        self.pull()
        self.assertPulled()
        self.assertEqual(self.hub.requests("cdn")[1]["Range"], "bytes=5000-")

    def test_busy_servers_are_asked_again(self):
        self.hub.fault("list", "status:503")
        self.hub.fault("head", "status:429:1")
        self.hub.fault("cdn", "status:502")
        self.pull()
        self.assertPulled()

    def test_a_part_of_an_earlier_run_is_gone_on_with(self):
        self.leave_part(TINY[:7000])
        reply = self.pull().json
        self.assertPulled()
        self.assertEqual((reply["resumed_bytes"], reply["fetched_bytes"]), (7000, len(TINY) - 7000))
        self.assertEqual(self.hub.requests("cdn")[0]["Range"], "bytes=7000-")

    def test_a_whole_part_only_needs_its_check(self):
        self.leave_part(TINY)
        self.assertEqual(self.pull().json["fetched_bytes"], 0)
        self.assertPulled()

    def test_a_part_of_something_else_is_thrown_away(self):
        self.leave_part(b"x" * 7000)
        reply = self.pull().json
        self.assertPulled()
        self.assertEqual(reply["fetched_bytes"], 2 * len(TINY) - 7000)

    def test_a_part_longer_than_the_file_is_thrown_away(self):
        self.leave_part(TINY + b"more")
        self.pull()
        self.assertPulled()

    def test_a_server_that_cannot_resume_sends_all_of_it(self):
        self.leave_part(TINY[:7000])
        self.hub.fault("cdn", "no-range")
        self.pull()
        self.assertPulled()

    def test_wrong_bytes_after_resuming_are_fetched_once_more(self):
        self.leave_part(TINY[:100])
        self.hub.fault("cdn", "wrong")
        self.pull()
        self.assertPulled()

    # ---- faults that do not ----

    def test_wrong_bytes_are_refused_and_not_kept(self):
        self.hub.fault("cdn", "wrong")
        self.assertFails(self.pythia("model", "pull", "org/model"), 5, "tiny.gguf", "came with the hash", SHA)
        self.assertEqual(os.listdir(self.repo / "blobs"), [])
        self.assertFalse((self.home / "models" / "tiny.gguf").exists())

    def test_wrong_bytes_of_a_small_file_are_refused(self):
        self.hub.files.clear()
        self.hub.files.update(tiny_bert())
        self.hub.fault("get", "wrong")
        self.assertFails(self.pythia("model", "pull", "org/model"), 5, "came with the hash")

    def test_another_length_than_promised_is_refused(self):
        self.hub.fault("cdn", "other-length")
        self.assertFails(self.pythia("model", "pull", "org/model"), 5,
                         "would have %d bytes, the hub says %d" % (len(TINY) + 4, len(TINY)))

    def test_a_length_longer_than_promised_is_refused_before_a_byte_is_kept(self):
        self.hub.fault("cdn", "longer")
        self.assertFails(self.pythia("model", "pull", "org/model"), 5, "would have %d bytes" % (len(TINY) + 10))
        self.assertEqual((self.repo / "blobs" / (SHA + ".incomplete")).stat().st_size, 0)

    def test_another_part_than_asked_for_is_refused(self):
        self.leave_part(TINY[:7000])
        self.hub.fault("cdn", "bad-range")
        self.assertFails(self.pythia("model", "pull", "org/model"), 8, "another part than the one asked for")

    def test_a_page_instead_of_the_file_is_refused(self):
        self.hub.fault("cdn", "html")
        self.assertFails(self.pythia("model", "pull", "org/model"), 8, "a web page came instead of the file")
        self.hub.fault("list", "html")
        self.assertFails(self.pythia("model", "pull", "org/model"), 8, "does not answer as a model hub", "HF_ENDPOINT")
        self.hub.fault("head", "html")
        self.assertFails(self.pythia("model", "pull", "org/model/tiny.gguf"), 8, "does not answer as a model hub")

    def test_what_is_not_there_is_told(self):
        self.assertFails(self.pythia("model", "pull", "org/nothing"), 7, "no repository 'org/nothing'")
        self.assertFails(self.pythia("model", "pull", "org/model/no.gguf"), 7, "no file 'no.gguf'")
        self.assertFails(self.pythia("model", "pull", "org/model/tiny.gguf@v9"), 7, "no revision 'v9'")

    def test_several_models_are_listed_and_none_is_chosen(self):
        self.hub.files["other.Q8_0.gguf"] = TINY + b"x"
        self.assertFails(self.pythia("model", "pull", "org/model"), 2, "tiny.gguf (0 MB), other.Q8_0.gguf",
                         "pythia model pull org/model/tiny.gguf")
        self.hub.files.clear()
        self.hub.files["pytorch_model.bin"] = b"x"
        self.assertFails(self.pythia("model", "pull", "org/model"), 2, "has no GGUF file")

    def test_a_server_that_stays_busy_is_given_up_with_what_to_do(self):
        self.hub.fault("list", "status:503", "status:503")
        run = self.pythia("model", "pull", "org/model", "--config", "network.attempts=2")
        self.assertFails(run, 8, "answers 503: as asked; try again later")
        self.hub.fault("list", "status:429:3600")
        self.assertFails(self.pythia("model", "pull", "org/model"), 8, "answers 429")

    def test_no_server_at_all_is_told(self):
        env = {"HF_ENDPOINT": "http://127.0.0.1:1"}
        run = self.pythia("model", "pull", "org/model", "--config", "network.attempts=1", env=env)
        self.assertFails(run, 8, "cannot get 'http://127.0.0.1:1/api/models/org/model")

    def test_a_list_that_leads_out_of_the_folder_is_not_followed(self):
        self.hub.files.clear()
        self.hub.files.update(tiny_bert())
        self.hub.extra = [{"rfilename": "../../../1_x/config.json"}, {"rfilename": "/etc/config.json"}]
        self.pull("org/model", "--name", "small")
        self.assertFalse(any(".." in path for _, _, path, _ in self.hub.seen))

    def test_bad_names_are_refused_before_anything_is_asked(self):
        for what in ("", "../x", "org/../x", "org/model/../../x.gguf", "org/mo del", "org/model@", "org/model@../x",
                     "org/model/a//b.gguf"):
            self.assertFails(self.pythia("model", "pull", what), 2, "names no model on a hub")
        self.assertFails(self.pythia("model", "pull", "org/model", "--name", "../x"), 2, "is no name for a model")
        self.assertFails(self.pythia("model", "pull", "org/model/README.md"), 2, "is no GGUF file")
        self.assertEqual(self.hub.seen, [])

    def test_a_model_of_ones_own_is_not_replaced(self):
        (self.home / "models" / "tiny.gguf").write_bytes(b"mine")
        self.assertFails(self.pythia("model", "pull", "org/model"), 2, "there is a model 'tiny' already")
        self.assertEqual((self.home / "models" / "tiny.gguf").read_bytes(), b"mine")

    # ---- beside others ----

    def test_two_pulls_at_once_fetch_it_once(self):
        self.hub.slow = 0.5
        args = [BINARY, "model", "pull", "org/model", "--json"]
        runs = [subprocess.Popen(args, cwd=self.tree, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(2)]
        outputs = [run.communicate(timeout=60) for run in runs]
        self.assertEqual([run.returncode for run in runs], [0, 0], outputs)
        self.assertPulled()
        self.assertEqual(len(self.hub.requests("cdn")), 1)

    def test_ctrl_c_keeps_what_has_come(self):
        self.hub.fault("cdn", "stall:6000")
        run = subprocess.Popen([BINARY, "model", "pull", "org/model"], cwd=self.tree, env=self.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        part, came = self.repo / "blobs" / (SHA + ".incomplete"), threading.Event()
        for _ in range(200):
            if part.exists() and part.stat().st_size == 6000:
                break
            came.wait(0.05)
        run.send_signal(2)
        _, err = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 130, err)
        self.assertEqual(part.read_bytes(), TINY[:6000])
        self.assertEqual(self.pull().json["resumed_bytes"], 6000)
        self.assertPulled()

    # ---- offline ----

    def test_offline_takes_what_is_in_the_cache_and_asks_nobody(self):
        self.pull()
        self.hub.seen.clear()
        (self.home / "models" / "tiny.gguf").unlink()
        env = {"HF_HUB_OFFLINE": "1"}
        self.assertEqual(self.pull(env=env).json["model"]["sha256"], SHA)
        self.pull("org/model/tiny.gguf", env=env)
        self.pull("org/model@" + COMMIT, env=env)
        self.assertEqual(self.hub.seen, [])
        self.assertPulled()

    def test_offline_without_it_is_told(self):
        env = {"HF_HUB_OFFLINE": "true"}
        self.assertFails(self.pythia("model", "pull", "org/model", env=env), 7, "is not in the cache", "HF_HUB_OFFLINE")
        self.pull()
        self.assertFails(self.pythia("model", "pull", "org/model/no.gguf", env=env), 7, "is not in the cache")
        self.assertEqual(LARGE < len(TINY), True)

    def test_the_cache_is_where_the_environment_says(self):
        self.pull(env={"HF_HUB_CACHE": str(self.dir / "elsewhere")})
        self.assertTrue((self.dir / "elsewhere" / "models--org--model" / "blobs" / SHA).is_file())
        self.pull(env={"HF_HOME": ""})
        self.assertTrue((self.home / "hub" / "models--org--model" / "blobs" / SHA).is_file())


if __name__ == "__main__":
    main()
