"""`verify` finds what is wrong with an index of each kind, names the file and the way out, and that way mends it."""
import glob
import os
import pathlib
import sqlite3

from harness import PythiaTest, main

KINDS = ("flat", "hnsw", "ivfpq")


class Verify(PythiaTest):
    def setUp(self):
        super().setUp()
        for i in range(30):
            self.write("notes/%02d.txt" % i, "Shelf %d holds crate number %d.\nIt is checked on day %d.\n" % (i, i * 7, i % 5))
        self.age()

    def rows_file(self):
        files = [f for f in glob.glob(str(self.home / "**" / "*.rows"), recursive=True) if os.path.getsize(f) > 1000]
        self.assertTrue(files)
        return pathlib.Path(max(files, key=os.path.getmtime))

    def assertDamaged(self, run, code, *parts):
        self.assertEqual(run.code, code, run.out + run.err)
        for part in parts:
            self.assertIn(part, run.out + run.err)

    def test_damage_of_every_kind_of_index_is_named_and_mended(self):
        for kind in KINDS:
            self.index("--index", kind, "--force")
            self.pythia("verify", code=0)
            path = self.rows_file()
            good = path.read_bytes()
            flipped = bytearray(good)
            flipped[len(good) - 500] ^= 1
            for bad in (bytes(flipped), good[:len(good) // 2], good[:100], b"these are no vectors\n" * 100):
                path.write_bytes(bad)
                self.assertDamaged(self.pythia("verify"), 5, path.name, "--force")
            path.write_bytes(good)
            self.pythia("verify", code=0)
            path.unlink()
            self.assertDamaged(self.pythia("verify"), 3, "--force")
            self.index("--force")
            self.pythia("verify", code=0)

    def test_rows_of_another_kind_or_model_are_not_searched(self):
        self.index("--index", "hnsw")
        other = self.rows_file().read_bytes()
        self.index("--index", "flat", "--force")
        path = self.rows_file()
        good = path.read_bytes()
        path.write_bytes(other)  # its generation or its kind tells it
        self.assertDamaged(self.pythia("verify"), 4, path.name, "--force")
        wider = bytearray(good)
        wider[24:28] = (8).to_bytes(4, "little")  # dimensions, behind the header's sum
        path.write_bytes(bytes(wider))
        self.assertDamaged(self.pythia("verify"), 5, path.name)

    def test_vectors_that_are_not_there_are_found(self):
        self.index()
        with sqlite3.connect(self.home / "pythia.db") as db:
            db.execute("UPDATE chunk_embeddings SET slot = 1000000 WHERE slot = 3")
            chunk = db.execute("SELECT hash FROM chunk_embeddings WHERE slot = 1000000").fetchone()[0]
        found = self.pythia("verify")
        self.assertDamaged(found, 5, "1 embeddings of collection 'tree' stand beyond the 30 rows", "--force")
        # The advised command embeds that one chunk, and no other.
        self.assertIn("pythia index --collection NAME --force", found.out + found.err)
        report = self.index("--collection", "tree", "--force")
        self.assertEqual((report["embedded"], report["reused"]), (1, 0), report)
        self.pythia("verify", code=0)
        with sqlite3.connect(self.home / "pythia.db") as db:
            self.assertEqual(db.execute("SELECT slot FROM chunk_embeddings WHERE hash = ?", (chunk,)).fetchone(), (30,))
        for i in range(30):
            text = "Shelf %d holds crate number %d.\nIt is checked on day %d.\n" % (i, i * 7, i % 5)
            self.assertEqual(self.paths(text, "--mode", "semantic", "--limit", "1"), ["notes/%02d.txt" % i])

    def test_chunks_of_no_document_are_found(self):
        self.index()
        with sqlite3.connect(self.home / "pythia.db") as db:
            db.execute("DELETE FROM documents WHERE id = (SELECT min(id) FROM documents)")
        found = self.pythia("verify")
        db = str(self.home / "pythia.db")
        self.assertDamaged(found, 5, "belong to no document", "mv '%s' '%s.damaged' && pythia index" % (db, db))
        os.rename(db, db + ".damaged")  # --force would leave them
        self.index()
        self.pythia("verify", code=0)
        self.assertEqual(self.paths("crate number 63", "--limit", "1"), ["notes/09.txt"])


if __name__ == "__main__":
    main()
