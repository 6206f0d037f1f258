-- name: claim
SELECT tenant_id, import_id FROM claim_import($1, $2, $3, $4);

-- name: claim_one
-- As `claim`, for one import of the entered tenant.
SELECT import_id FROM import
 WHERE tenant_id = $1 AND import_id = $2 AND due_at <= now() AND (taken_by = $3 OR taken_until IS NULL OR taken_until < now())
   FOR UPDATE SKIP LOCKED;

-- name: lease
-- It is this worker's for some seconds, at the end of the queue, and a try is counted, before anything is done.
UPDATE import SET taken_by = $3, taken_until = now() + interval '8 seconds', tries = tries + 1, due_at = clock_timestamp()
 WHERE tenant_id = $1 AND import_id = $2 RETURNING *;

-- name: renew
-- Some seconds more, unless somebody writes of it just now.
UPDATE import SET taken_until = now() + interval '8 seconds'
 WHERE (tenant_id, import_id) = (SELECT i.tenant_id, i.import_id FROM import i
                                  WHERE i.tenant_id = $1 AND i.import_id = $2 AND i.taken_by = $3 FOR UPDATE SKIP LOCKED);

-- name: hold_leased
-- The import as this worker took it, locked: before anything is written of it.
SELECT cancel_asked FROM import
 WHERE tenant_id = $1 AND import_id = $2 AND taken_by = $3 AND state = $4 AND since = $5 AND through_row = $6 FOR UPDATE;

-- name: begin_batch
-- Before a batch up to this row is recorded: who cancels from now on waits for its end.
UPDATE import SET batch_to = $7
 WHERE tenant_id = $1 AND import_id = $2 AND taken_by = $3 AND state = $4 AND since = $5 AND through_row = $6
   AND (NOT cancel_asked OR batch_to > through_row) RETURNING import_id;

-- name: ask_to_cancel
UPDATE import SET cancel_asked = true, due_at = least(due_at, now()) WHERE tenant_id = $1 AND import_id = $2;

-- name: one
SELECT * FROM import WHERE tenant_id = $1 AND import_id = $2;

-- name: hold
SELECT * FROM import WHERE tenant_id = $1 AND import_id = $2 FOR UPDATE;

-- name: of_file
-- The last import of the same file that was not given up.
SELECT import_id FROM import
 WHERE tenant_id = $1 AND sha256 = $2 AND import_id <> $3 AND state NOT IN ('cancelled', 'failed')
   AND brought_at <= (SELECT o.brought_at FROM import o WHERE o.tenant_id = $1 AND o.import_id = $3)
 ORDER BY brought_at DESC LIMIT 1;

-- name: bring
INSERT INTO import (tenant_id, import_id, format, file_name, size, sha256, started_by, state, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'reading', now()) ON CONFLICT DO NOTHING RETURNING import_id;

-- name: store_chunk
INSERT INTO import_chunk (tenant_id, import_id, number, sealed) VALUES ($1, $2, $3, $4);

-- name: chunk
SELECT sealed FROM import_chunk WHERE tenant_id = $1 AND import_id = $2 AND number = $3;

-- name: drop_file
DELETE FROM import_chunk WHERE tenant_id = $1 AND import_id = $2;

-- name: enter_state
-- Another state, from its first row. What is due at once keeps its worker.
UPDATE import SET state = $3, through_row = 0, batch_to = 0, cancel_asked = false, since = clock_timestamp(), due_at = $4,
       tries = 0, error = NULL,
       ended_at = CASE WHEN $3 IN ('done', 'undone', 'cancelled', 'failed') THEN now() ELSE ended_at END
 WHERE tenant_id = $1 AND import_id = $2;

-- name: went_on
-- Rows gone through; it goes to the end of the queue, and stays with this worker for some seconds.
UPDATE import SET through_row = $3, position = greatest(position, $4), taken_until = now() + interval '8 seconds',
       due_at = clock_timestamp(), tries = 0, error = NULL
 WHERE tenant_id = $1 AND import_id = $2;

-- name: comes_back
-- Nothing can be done just now; the turn counts for no try.
UPDATE import SET due_at = clock_timestamp() + $3::interval, taken_until = now() + interval '8 seconds', tries = 0
 WHERE tenant_id = $1 AND import_id = $2;

-- name: stumble
-- It went wrong: again with growing pauses, by anybody. What passes ($8) is tried for ever.
UPDATE import SET error = $7, due_at = now() + interval '2 seconds' * 2 ^ least(tries - 1, 6), taken_until = NULL,
       tries = CASE WHEN $8 THEN least(tries, 6) ELSE tries END
 WHERE tenant_id = $1 AND import_id = $2 AND taken_by = $3 AND state = $4 AND since = $5 AND through_row = $6 RETURNING tries;

-- name: fail
UPDATE import SET error = $3 WHERE tenant_id = $1 AND import_id = $2;

-- name: tell
UPDATE import SET told = $3 WHERE tenant_id = $1 AND import_id = $2;

-- name: set_rows
UPDATE import SET rows = $3 WHERE tenant_id = $1 AND import_id = $2;

-- name: set_unsure
UPDATE import SET unsure = $3 WHERE tenant_id = $1 AND import_id = $2;

-- name: account
-- What became of some rows, in place of what was said of them before; said again it changes nothing.
WITH given AS MATERIALIZED (
  SELECT x.row, x.line, x.member, x.outcome, x.kind, x.fact_id,
         ARRAY(SELECT json_array_elements_text(x.people::json)::uuid) AS people, x.reason, x.col, x.field, x.sealed
    FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::bigint[],
                $12::text[], $13::bytea[])
         AS x (row, line, member, outcome, kind, fact_id, people, reason, col, field, sealed)),
before AS MATERIALIZED (
  SELECT r.outcome FROM import_row r JOIN given USING (row) WHERE r.tenant_id = $1 AND r.import_id = $2),
change AS (
  SELECT o AS outcome, (SELECT count(*) FROM given WHERE given.outcome = o) - (SELECT count(*) FROM before WHERE before.outcome = o) AS n
    FROM unnest(ARRAY['recorded', 'known', 'skipped', 'rejected', 'waiting', 'private', 'undone']) AS o),
counted AS (
  UPDATE import i
     SET recorded = recorded + (SELECT n FROM change WHERE outcome = 'recorded'),
         known = known + (SELECT n FROM change WHERE outcome = 'known'),
         skipped = skipped + (SELECT n FROM change WHERE outcome = 'skipped'),
         rejected = rejected + (SELECT n FROM change WHERE outcome = 'rejected'),
         waiting = waiting + (SELECT n FROM change WHERE outcome = 'waiting'),
         private = private + (SELECT n FROM change WHERE outcome = 'private'),
         undone = undone + (SELECT n FROM change WHERE outcome = 'undone')
   WHERE i.tenant_id = $1 AND i.import_id = $2)
INSERT INTO import_row (tenant_id, import_id, row, line, member, outcome, kind, fact_id, people, reason, col, field, sealed)
SELECT $1, $2, row, line, member, outcome, kind, fact_id, people, reason, col, field, sealed FROM given
    ON CONFLICT (tenant_id, import_id, row) DO UPDATE
   SET outcome = excluded.outcome, kind = excluded.kind, fact_id = excluded.fact_id, people = excluded.people,
       reason = excluded.reason, col = excluded.col, field = excluded.field, sealed = excluded.sealed;

-- name: count_again
UPDATE import i
   SET recorded = x.recorded, known = x.known, skipped = x.skipped, rejected = x.rejected, waiting = x.waiting,
       private = x.private, undone = x.undone
  FROM (SELECT count(*) FILTER (WHERE outcome = 'recorded') AS recorded, count(*) FILTER (WHERE outcome = 'known') AS known,
               count(*) FILTER (WHERE outcome = 'skipped') AS skipped, count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
               count(*) FILTER (WHERE outcome = 'waiting') AS waiting, count(*) FILTER (WHERE outcome = 'private') AS private,
               count(*) FILTER (WHERE outcome = 'undone') AS undone
          FROM import_row WHERE tenant_id = $1 AND import_id = $2) x
 WHERE i.tenant_id = $1 AND i.import_id = $2;

-- name: forget_rows
-- Before the file is read anew.
DELETE FROM import_row WHERE tenant_id = $1 AND import_id = $2;

-- name: forget_people
DELETE FROM import_person WHERE tenant_id = $1 AND import_id = $2;

-- name: earlier_rows
-- Which of these facts an earlier row of the file stands for.
SELECT DISTINCT fact_id FROM import_row
 WHERE tenant_id = $1 AND import_id = $2 AND fact_id = ANY ($3) AND row < $4 AND outcome IN ('recorded', 'waiting', 'undone');

-- name: facts
-- The last word in each of these streams: which import said it, and whether it is a strike, of an undo or by hand.
SELECT x.stream, e.type, e.position, convert_from(e.meta, 'UTF8')::jsonb ->> 'correlation' AS correlation,
       e.type = 'touchpoint.struck' AND convert_from(e.body, 'UTF8')::jsonb ? 'undo_of' AS undone
  FROM unnest($2::text[]) AS x (stream)
 CROSS JOIN LATERAL (SELECT type, position, meta, body FROM event
                      WHERE tenant_id = $1 AND stream = x.stream ORDER BY position DESC LIMIT 1) e;

-- name: not_held
-- Those of these appointments of which a person had the last word, that it was missed or called off; and for when it was planned.
SELECT x.stream, (convert_from(p.body, 'UTF8')::jsonb #>> '{plan,starts_at}')::timestamptz AS starts_at
  FROM unnest($2::text[]) AS x (stream)
 CROSS JOIN LATERAL (SELECT type, body FROM event WHERE tenant_id = $1 AND stream = x.stream ORDER BY position DESC LIMIT 1) e
 CROSS JOIN LATERAL (SELECT body FROM event WHERE tenant_id = $1 AND stream = x.stream AND type IN ('appointment.planned', 'appointment.moved')
                      ORDER BY position DESC LIMIT 1) p
 WHERE e.type = 'appointment.missed'
    OR (e.type = 'appointment.cancelled' AND convert_from(e.body, 'UTF8')::jsonb -> 'by_source' IS DISTINCT FROM 'true');

-- name: note_people
-- Whom the rows of a batch name, added to those of the batches before.
INSERT INTO import_person (tenant_id, import_id, person_id, platforms, handles, rows, signs, name_digest, sealed)
SELECT $1, $2, x.person_id, ARRAY(SELECT json_array_elements_text(x.platforms::json)),
       ARRAY(SELECT decode(json_array_elements_text(x.handles::json), 'hex')), x.rows,
       ARRAY(SELECT json_array_elements_text(x.signs::json)), x.name_digest, x.sealed
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bytea[], $9::bytea[])
       AS x (person_id, platforms, handles, rows, signs, name_digest, sealed)
    ON CONFLICT (tenant_id, import_id, person_id) DO UPDATE
   SET rows = import_person.rows + excluded.rows,
       signs = ARRAY(SELECT DISTINCT s FROM unnest(import_person.signs || excluded.signs) AS s ORDER BY s);

-- name: unsorted
-- People nobody sorted yet, each with whoever has one of their identities already, and whether the skip-list has one.
-- Scalar questions, each one probe of an index: joined, they were answered by reading all identities for each person.
SELECT p.person_id, p.signs, p.sealed,
       (SELECT o.person_id FROM import_person o
         WHERE o.tenant_id = p.tenant_id AND o.import_id = p.import_id AND o.name_digest = p.name_digest AND o.person_id <> p.person_id
         LIMIT 1) AS like_person,
       (SELECT held.contact_id
          FROM (SELECT w.n, (SELECT i.contact_id FROM identity i
                              WHERE i.tenant_id = p.tenant_id AND i.platform = w.platform AND i.handle = w.handle) AS contact_id
                  FROM unnest(p.platforms, p.handles) WITH ORDINALITY AS w (platform, handle, n)) held
         WHERE held.contact_id IS NOT NULL ORDER BY held.n LIMIT 1) AS contact_id,
       (SELECT coalesce(bool_or((SELECT true FROM skip_list s
                                  WHERE s.tenant_id = p.tenant_id AND s.platform = w.platform AND s.handle = w.handle)), false)
          FROM unnest(p.platforms, p.handles) AS w (platform, handle)) AS skipped
  FROM import_person p
 WHERE p.tenant_id = $1 AND p.import_id = $2 AND p.sort IS NULL ORDER BY p.person_id LIMIT $3;

-- name: sort_people
UPDATE import_person p SET sort = x.sort, reason = x.reason, contact_id = x.contact_id, like_id = x.like_id, like_person = x.like_person
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[])
       AS x (person_id, sort, reason, contact_id, like_id, like_person)
 WHERE p.tenant_id = $1 AND p.import_id = $2 AND p.person_id = x.person_id;

-- name: of_names
-- Contacts of these names, in lower case.
SELECT contact_id, lower(name) AS name FROM contact
 WHERE tenant_id = $1 AND build = live_build('contacts') AND lower(name) = ANY ($2) ORDER BY contact_id;

-- name: mark_rows
-- In the dry run: rows whose people are all private, and rows with people who wait to be sorted. Step by step, as nothing
-- is known yet of how many rows and people a file just read has.
WITH person AS MATERIALIZED (
  SELECT person_id, sort FROM import_person WHERE tenant_id = $1 AND import_id = $2 AND sort IN ('private', 'unsure')),
named AS MATERIALIZED (
  SELECT r.row, w.person_id FROM import_row r CROSS JOIN unnest(r.people) AS w (person_id)
   WHERE r.tenant_id = $1 AND r.import_id = $2 AND r.outcome = 'recorded' AND EXISTS (SELECT FROM person)),
marked AS MATERIALIZED (
  SELECT n.row, bool_and(p.sort IS NOT DISTINCT FROM 'private') AS private
    FROM named n LEFT JOIN person p ON p.person_id = n.person_id
   GROUP BY n.row HAVING bool_and(p.sort IS NOT DISTINCT FROM 'private') OR bool_or(p.sort = 'unsure'))
UPDATE import_row r
   SET outcome = CASE WHEN m.private THEN 'private' ELSE 'waiting' END,
       reason = CASE WHEN m.private THEN 'private' ELSE 'a person nobody has sorted yet' END
  FROM marked m
 WHERE r.tenant_id = $1 AND r.import_id = $2 AND r.row = m.row;

-- name: sorts
SELECT person_id, sort FROM import_person WHERE tenant_id = $1 AND import_id = $2 AND person_id = ANY ($3);

-- name: override
UPDATE import_person p SET sort = x.sort, reason = 'you said so'
  FROM unnest($3::uuid[], $4::text[]) AS x (person_id, sort)
 WHERE p.tenant_id = $1 AND p.import_id = $2 AND p.person_id = x.person_id
RETURNING p.person_id;

-- name: settle_unsure
UPDATE import_person SET sort = $3, reason = 'you said so of all who are unsure'
 WHERE tenant_id = $1 AND import_id = $2 AND sort = 'unsure';

-- name: skip_private
-- The private people of an import go onto the skip-list.
INSERT INTO skip_list (tenant_id, platform, handle)
SELECT DISTINCT p.tenant_id, w.platform, w.handle
  FROM import_person p CROSS JOIN unnest(p.platforms, p.handles) AS w (platform, handle)
 WHERE p.tenant_id = $1 AND p.import_id = $2 AND p.sort = 'private'
    ON CONFLICT DO NOTHING;

-- name: unskip
-- Who was called business by a person is no more on the skip-list.
DELETE FROM skip_list s USING import_person p CROSS JOIN unnest(p.platforms, p.handles) AS w (platform, handle)
 WHERE p.tenant_id = $1 AND p.import_id = $2 AND p.person_id = ANY ($3) AND p.sort = 'business'
   AND s.tenant_id = p.tenant_id AND s.platform = w.platform AND s.handle = w.handle;

-- name: skipped
-- Which of these identities are on the skip-list.
SELECT x.platform, x.handle FROM unnest($2::text[], $3::bytea[]) AS x (platform, handle)
  JOIN skip_list s ON s.tenant_id = $1 AND s.platform = x.platform AND s.handle = x.handle;

-- name: forget_names
-- Who they were is needed only of those who wait to be sorted; the file goes when nothing can be asked of it any more.
UPDATE import_person SET sealed = NULL WHERE tenant_id = $1 AND import_id = $2 AND sealed IS NOT NULL AND ($3 OR sort <> 'unsure');

-- name: forget_excerpts
UPDATE import_row SET sealed = NULL WHERE tenant_id = $1 AND import_id = $2 AND sealed IS NOT NULL;

-- name: waiting_rows
-- The next of them, $4 or so many as first weigh $5 bytes; and whether they are the last.
SELECT row, line, member, sealed, before + octet_length(sealed) = weight AND rows < $4 AS last
  FROM (SELECT row, line, member, sealed, sum(octet_length(sealed)) OVER w - octet_length(sealed) AS before,
               sum(octet_length(sealed)) OVER () AS weight, count(*) OVER () AS rows
          FROM (SELECT row, line, member, sealed FROM import_row
                 WHERE tenant_id = $1 AND import_id = $2 AND outcome = 'waiting' AND row > $3 ORDER BY row LIMIT $4) r
        WINDOW w AS (ORDER BY row)) x
 WHERE before < $5 ORDER BY row;

-- name: recorded_rows
-- What an undo takes back: not entries of an address book, whose people are looked at.
SELECT row, line, member, kind, fact_id, people FROM import_row
 WHERE tenant_id = $1 AND import_id = $2 AND outcome = 'recorded' AND row > $3
   AND kind <> 'contact'
 ORDER BY row LIMIT $4;

-- name: settle_contacts
-- Entries of an address book whose people were removed are undone; the others stay.
WITH settled AS (
  UPDATE import_row SET outcome = CASE WHEN fact_id = ANY ($4) THEN 'undone' ELSE outcome END,
         reason = CASE WHEN fact_id = ANY ($4) THEN reason ELSE 'stays: this person is known from elsewhere too' END
   WHERE tenant_id = $1 AND import_id = $2 AND kind = 'contact' AND outcome = 'recorded' AND fact_id = ANY ($3)
  RETURNING outcome)
UPDATE import SET recorded = recorded - (SELECT count(*) FROM settled WHERE outcome = 'undone'),
                  undone = undone + (SELECT count(*) FROM settled WHERE outcome = 'undone')
 WHERE tenant_id = $1 AND import_id = $2;

-- name: note_contacts
INSERT INTO import_contact (tenant_id, import_id, contact_id)
SELECT $1, $2, x FROM unnest($3::uuid[]) AS x ON CONFLICT DO NOTHING;

-- name: contacts_to_look_at
SELECT contact_id FROM import_contact WHERE tenant_id = $1 AND import_id = $2 AND NOT looked_at ORDER BY contact_id LIMIT $3;

-- name: looked_at
UPDATE import_contact SET looked_at = true WHERE tenant_id = $1 AND import_id = $2 AND contact_id = ANY ($3);

-- name: add_own
INSERT INTO own_identity (tenant_id, platform, handle, sealed) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: own
SELECT platform, handle, sealed FROM own_identity WHERE tenant_id = $1 ORDER BY added_at, platform;

-- name: told_by_others
-- Of these contacts' streams those in which somebody other than this import said something, since they were last removed.
SELECT DISTINCT substring(e.stream FROM 9)::uuid AS contact_id FROM event e
 WHERE e.tenant_id = $1 AND e.stream = ANY ($2) AND e.type <> 'contact.removed'
   AND convert_from(e.meta, 'UTF8')::jsonb ->> 'correlation' IS DISTINCT FROM $3
   AND e.position > coalesce((SELECT max(r.position) FROM event r
                               WHERE r.tenant_id = e.tenant_id AND r.stream = e.stream AND r.type = 'contact.removed'), 0);

-- name: merged_into
-- Those of these contacts that stand for others.
SELECT DISTINCT into_id AS contact_id FROM contact_alias
 WHERE tenant_id = $1 AND build = live_build('contacts') AND into_id = ANY ($2);

-- name: touched
-- Those of them who have a touchpoint that counts.
SELECT DISTINCT contact_id FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = ANY ($2) AND struck_at_position IS NULL;

-- name: related
-- Those of them whom a referral, an introduction or a tie names, or an appointment that this import did not plan, or that
-- it could not call off.
SELECT w.contact_id FROM unnest($2::uuid[]) AS w (contact_id)
 WHERE EXISTS (SELECT FROM referral r WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.referrer_id = w.contact_id AND NOT r.withdrawn)
    OR EXISTS (SELECT FROM referral r WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.prospect_id = w.contact_id AND NOT r.withdrawn)
    OR EXISTS (SELECT FROM tie t WHERE t.tenant_id = $1 AND t.build = live_build('referrals') AND t.contact_id = w.contact_id AND NOT t.withdrawn)
    OR EXISTS (SELECT FROM appointment_person p
                 JOIN appointment a ON a.tenant_id = p.tenant_id AND a.build = p.build AND a.appointment_id = p.appointment_id
                WHERE p.tenant_id = $1 AND p.build = live_build('appointments') AND p.contact_id = w.contact_id AND a.state <> 'cancelled');

-- name: unseen_by_views
-- What others said that one of these views does not show yet, or cannot.
SELECT e.body FROM event e
 WHERE e.tenant_id = $1 AND e.position > (SELECT min(position) FROM checkpoint WHERE tenant_id = $1 AND process = ANY ($4) AND live)
   AND e.type NOT LIKE 'nudge.%' AND convert_from(e.meta, 'UTF8')::jsonb ->> 'correlation' IS DISTINCT FROM $2
UNION ALL
SELECT e.body FROM parked_event p JOIN event e ON e.tenant_id = p.tenant_id AND e.position = p.position
 WHERE p.tenant_id = $1 AND p.process = ANY ($4) AND convert_from(e.meta, 'UTF8')::jsonb ->> 'correlation' IS DISTINCT FROM $2
 LIMIT $3;

-- name: views_position
SELECT min(position) FROM checkpoint WHERE tenant_id = $1 AND process = ANY ($2) AND live;

-- name: page
-- The newest first; $2 and $3 are the last row of the page before.
SELECT * FROM import
 WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (brought_at, import_id) < ($2, $3::uuid))
 ORDER BY brought_at DESC, import_id DESC LIMIT $4;

-- name: kinds
SELECT outcome, kind, count(*) AS rows FROM import_row
 WHERE tenant_id = $1 AND import_id = $2 AND kind IS NOT NULL AND outcome IN ('recorded', 'known', 'waiting', 'undone')
 GROUP BY outcome, kind ORDER BY outcome, kind;

-- name: reasons
SELECT outcome, reason, count(*) AS rows, min(line) AS first_line FROM import_row
 WHERE tenant_id = $1 AND import_id = $2 AND reason IS NOT NULL GROUP BY outcome, reason ORDER BY count(*) DESC, reason LIMIT 50;

-- name: rows
-- All rows in order, or those of one outcome; after row $4.
SELECT row, line, member, outcome, kind, fact_id, reason, col, field, sealed FROM import_row
 WHERE tenant_id = $1 AND import_id = $2 AND ($3::text IS NULL OR outcome = $3) AND row > $4 ORDER BY row LIMIT $5;

-- name: people_counts
SELECT sort, count(*) AS people, sum(rows)::bigint AS rows,
       count(*) FILTER (WHERE contact_id IS NOT NULL) AS known, count(*) FILTER (WHERE coalesce(like_id, like_person) IS NOT NULL) AS alike
  FROM import_person WHERE tenant_id = $1 AND import_id = $2 AND sort IS NOT NULL GROUP BY sort;

-- name: people
-- Those with the most rows first; $4 and $5 are the last row of the page before.
SELECT person_id, rows, sealed, sort, reason, contact_id, like_id, like_person FROM import_person
 WHERE tenant_id = $1 AND import_id = $2 AND ($3::text IS NULL OR sort = $3)
   AND ($4::bigint IS NULL OR (-rows, person_id) > (-$4, $5::uuid))
 ORDER BY -rows, person_id LIMIT $6;

-- name: listed
-- Those of these contacts who are there.
SELECT c.contact_id FROM contact c
 WHERE c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = ANY ($2)
   AND NOT EXISTS (SELECT FROM removed_contact r
                    WHERE r.tenant_id = c.tenant_id AND r.build = live_build('relationships') AND r.contact_id = c.contact_id
                      AND r.removed_at_position > r.seen_at_position);

-- name: no_more_due
UPDATE import SET due_at = NULL WHERE tenant_id = $1 AND import_id = $2;

-- name: lapse
-- Rows whose people nobody sorted in time.
WITH gone AS (
  UPDATE import_row SET outcome = 'skipped', reason = 'nobody sorted the person in time'
   WHERE tenant_id = $1 AND import_id = $2 AND outcome = 'waiting' RETURNING row)
UPDATE import SET waiting = 0, skipped = skipped + (SELECT count(*) FROM gone) WHERE tenant_id = $1 AND import_id = $2;
