"""Files and keys that the program itself holds."""

from __future__ import annotations

import threading

import portbook
from portbook import Place
from world import Shelf, World


class Hosting(World):
    def test_a_shelf_of_many_files_is_synced_both_ways(self) -> None:
        self.fill(1500)
        (self.source / "large").write_bytes(bytes(range(256)) * 10_000)
        shelf = Shelf()
        with portbook.serving(self.session.host_store("shelf"), shelf, threads=3):
            conduit = self.session.connect(self.source, Place.host("shelf"))
            self.assertEqual(conduit.sync().finish().counts.new, 1501)
            self.assertEqual(shelf.files["large"], bytes(range(256)) * 10_000)
            self.assertEqual(conduit.preview().summary().counts.new, 0)
            back = self.session.connect(Place.host("shelf"), self.target)
            self.assertEqual(back.sync().finish().counts.new, 1501)
        self.assertEqual((self.target / "large").read_bytes(), shelf.files["large"])

    def test_the_key_of_a_book_is_kept_by_the_host(self) -> None:
        class Key:
            asked = 0

            def wrap(self, secret: bytes, context: bytes) -> tuple[str, bytes]:
                self.asked += 1
                return "key-1", bytes(byte ^ 0x5A for byte in secret)

            def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
                self.asked += 1
                return bytes(byte ^ 0x5A for byte in wrapped)

        key = Key()
        access = portbook.Access(user="me", password="secret")
        for number in range(2):
            with portbook.HostKeys() as keys:
                thread = threading.Thread(target=portbook.serve_keys, args=(keys, key))
                thread.start()
                with portbook.Book.open(self.root / "sealed.db", keys) as book:
                    session = book.default_session()
                    if number == 0:
                        session.save_volume("away", "sftp://host.example/dir", access)
                    self.assertEqual(session.renew_data_key(), 1)
            thread.join(10)
        self.assertGreater(key.asked, 1)
        with portbook.Book.open(self.root / "sealed.db") as book:
            with self.assertRaises(portbook.WrongKeyError):
                book.default_session().renew_data_key()
