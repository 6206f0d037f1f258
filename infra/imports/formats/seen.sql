-- What a reader has to remember of a file, in a database of its own (SQLite) that spills to the disk.

-- name: tables
CREATE TABLE times_seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE told (digest BLOB NOT NULL, at INTEGER NOT NULL, who BLOB NOT NULL);
CREATE TABLE bulk (digest BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE version (key BLOB PRIMARY KEY, rank TEXT NOT NULL, line INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE part (whole BLOB, key BLOB, line INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (whole, key))
WITHOUT ROWID;

-- name: see
INSERT INTO times_seen VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING times;

-- name: tell
INSERT INTO told VALUES (?, ?, ?);

-- name: told
-- Texts told often enough to be bulk, each in the order of time.
SELECT digest, at, who FROM told
WHERE digest IN (SELECT digest FROM told GROUP BY digest HAVING count(DISTINCT who) >= ?)
ORDER BY digest, at;

-- name: mark
-- The times of one text never overlap.
INSERT INTO bulk VALUES (?, ?, ?);

-- name: index_bulk
CREATE INDEX bulk_by_digest ON bulk (digest, since);

-- name: bulk_until
-- Until when a text was bulk, by the last time it began to be before.
SELECT until FROM bulk WHERE digest = ? AND since <= ? ORDER BY since DESC LIMIT 1;

-- name: offer_version
-- The best of several versions of a thing: the highest rank, of equals the first.
INSERT INTO version VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, line = excluded.line WHERE excluded.rank > version.rank;

-- name: best_version
SELECT rank, line FROM version WHERE key = ?;

-- name: keep_part
-- The first of the best versions of a part, as it was offered.
INSERT INTO part SELECT ?, key, line, ? FROM version WHERE key = ? AND line = ?
ON CONFLICT (whole, key) DO UPDATE SET line = excluded.line, text = excluded.text;

-- name: parts
SELECT text FROM part WHERE whole = ? ORDER BY line LIMIT ?;
