"""Where a setting comes from, and who may set it."""
import unittest

from harness import PythiaTest, main


class Settings(PythiaTest):
    needs_model = False

    def get(self, key, *args, **how):
        answer = self.pythia("config", "get", key, "--json", *args, code=0, **how).json
        return answer["value"], answer["origin"]

    def test_every_source_in_its_order(self):
        self.assertEqual(self.get("search.limit"), ("10", "default"))
        self.pythia("config", "set", "search.limit", "11", code=0)
        user = self.dir / "user" / "config" / "pythia" / "config.ini"
        self.assertTrue(self.get("search.limit")[1].startswith(str(user)))
        self.assertEqual(self.get("search.limit")[0], "11")
        self.pythia("config", "set", "--project", "search.limit", "12", code=0)
        value, origin = self.get("search.limit")
        self.assertEqual((value, origin.split(":")[0]), ("12", str(self.tree / ".pythia.ini")))
        self.assertEqual(self.get("search.limit", env={"PYTHIA_SEARCH_LIMIT": "13"}), ("13", "environment PYTHIA_SEARCH_LIMIT"))
        self.assertEqual(self.get("search.limit", "--config", "search.limit=14", env={"PYTHIA_SEARCH_LIMIT": "13"}),
                         ("14", "flag --config"))
        (self.tree / "deep" / "er").mkdir(parents=True)
        self.assertEqual(self.get("search.limit", cwd=self.tree / "deep" / "er")[0], "12")
        self.assertEqual(self.get("search.limit", cwd=self.dir)[0], "11")

    def test_list_shows_every_key_with_its_origin(self):
        self.pythia("config", "set", "search.mode", "lexical", code=0)
        listed = {e["key"]: e for e in self.pythia("config", "list", "--json", code=0).json["config"]}
        self.assertEqual(listed["search.mode"]["value"], "lexical")
        self.assertIn("config.ini", listed["search.mode"]["origin"])
        self.assertEqual(listed["model.embed"], {"key": "model.embed", "value": "all-minilm-l6-v2", "origin": "default"})
        out = self.pythia("config", code=0).out
        for key in listed:
            self.assertIn(key, out)

    def test_set_keeps_the_rest_of_the_file_and_removes_with_an_empty_value(self):
        user = self.dir / "user" / "config" / "pythia" / "config.ini"
        user.parent.mkdir(parents=True)
        user.write_text("; mine\n[search]\n; how many\nlimit = 3\n\n[ui]\ncolor = never\n")
        self.pythia("config", "set", "search.mode", "lexical", code=0)
        self.pythia("config", "set", "search.limit", "4", code=0)
        text = user.read_text()
        for part in ("; mine", "; how many", "limit = 4", "mode = lexical", "color = never"):
            self.assertIn(part, text)
        self.pythia("config", "set", "search.limit", "", code=0)
        self.assertEqual(self.get("search.limit"), ("10", "default"))
        self.assertIn("; mine", user.read_text())

    def test_bad_keys_and_values_are_named_and_not_written(self):
        self.assertFails(self.pythia("config", "set", "search.limt", "3"), 2, "'search.limt'", "search.limit")
        self.assertFails(self.pythia("config", "set", "search.limit", "many"), 2, "'many'")
        self.assertFails(self.pythia("config", "get", "nonsense"), 2, "'nonsense'", "run: pythia config list")
        self.assertFalse((self.dir / "user" / "config" / "pythia" / "config.ini").exists())

    def test_a_broken_file_is_named_with_its_line_and_can_be_mended(self):
        user = self.dir / "user" / "config" / "pythia" / "config.ini"
        user.parent.mkdir(parents=True)
        user.write_text("[search]\nlimit = many\n")
        self.assertFails(self.pythia("search", "x"), 2, "%s:2" % user, "'many'")
        self.assertIn(str(user), self.pythia("config", "path", code=0).out)
        self.pythia("help", code=0)
        self.pythia("config", "set", "search.limit", "5", code=0)
        self.assertEqual(self.get("search.limit")[0], "5")
        user.write_text("[serch]\nlimit = 3\n")
        self.assertFails(self.pythia("status"), 2, "%s" % user, "serch", "search")

    def test_a_project_may_not_choose_models_until_it_is_trusted(self):
        ini = self.tree / ".pythia.ini"
        ini.write_text("[model]\nembed = /tmp/evil.gguf\n")
        run = self.pythia("config", "get", "model.embed")
        if run.code == 0:
            self.assertEqual(run.out, "all-minilm-l6-v2\n")
        else:
            self.assertFails(run, 2, "embed", "pythia config trust")
        self.pythia("config", "trust", code=0)
        self.assertEqual(self.get("model.embed")[0], "/tmp/evil.gguf")
        self.assertIn("(trusted)", self.pythia("config", "path", code=0).out)
        ini.write_text("[model]\nembed = /tmp/worse.gguf\n")  # the trust was for the content
        self.assertIn("(not trusted)", self.pythia("config", "path", code=0).out)
        self.assertNotIn("worse", self.pythia("config", "get", "model.embed").out)

    def test_trust_without_a_project_file_is_an_error(self):
        self.assertFails(self.pythia("config", "trust"), 2, str(self.tree))

    def test_path_tells_all_places(self):
        answer = self.pythia("config", "path", "--json", code=0).json
        self.assertEqual(answer["user"], str(self.dir / "user" / "config" / "pythia" / "config.ini"))
        self.assertEqual((answer["project"], answer["home"]), (None, str(self.home)))
        env = dict(self.env)
        del env["PYTHIA_HOME"]
        self.env = env
        self.assertEqual(self.pythia("config", "path", "--json", code=0).json["home"], str(self.dir / "user" / ".local/share/pythia"))
        self.env["XDG_DATA_HOME"] = str(self.dir / "data")
        self.assertEqual(self.pythia("config", "path", "--json", code=0).json["home"], str(self.dir / "data" / "pythia"))


if __name__ == "__main__":
    main()
