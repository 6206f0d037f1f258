-- What a reader has to remember of a file, in a database of its own (SQLite) that spills to the disk.

-- name: tables
CREATE TABLE times_seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE told (digest BLOB NOT NULL, at INTEGER NOT NULL, who BLOB NOT NULL);
CREATE TABLE bulk (digest BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE version (key BLOB PRIMARY KEY, rank TEXT NOT NULL, line INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE part (whole BLOB NOT NULL, key BLOB NOT NULL, line INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX part_by_whole ON part (whole, line);

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
INSERT INTO bulk VALUES (?, ?, ?);

-- name: index_bulk
CREATE INDEX bulk_by_digest ON bulk (digest, since);

-- name: is_bulk
SELECT 1 FROM bulk WHERE digest = ? AND since <= ? AND until >= ? LIMIT 1;

-- name: offer_version
-- The best of several versions of a thing: the highest rank, of equals the first.
INSERT INTO version VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, line = excluded.line WHERE excluded.rank > version.rank;

-- name: best_version
SELECT rank, line FROM version WHERE key = ?;

-- name: keep_part
INSERT INTO part VALUES (?, ?, ?, ?);

-- name: parts
SELECT part.text FROM part JOIN version ON version.key = part.key AND version.line = part.line
WHERE part.whole = ? ORDER BY part.line LIMIT 1000;
