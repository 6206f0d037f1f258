-- name: people
-- What duplicates are looked for by: everybody in a list, with what is known of all that they stand for.
WITH one AS (
  SELECT r.contact_id AS standing_id, r.contact_id, 0 AS rank FROM relationship r
   WHERE r.tenant_id = $1 AND r.build = live_build('relationships')
   UNION ALL
  SELECT standing_id, contact_id, rank FROM contact_alias WHERE tenant_id = $1 AND build = live_build('contacts'))
SELECT one.standing_id, one.contact_id, c.name, c.hint, c.locality
  FROM one JOIN contact c ON c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = one.contact_id
 ORDER BY one.standing_id, one.rank;

-- name: channels
SELECT contact_id, channels, touchpoints FROM relationship WHERE tenant_id = $1 AND build = live_build('relationships');

-- name: identities
SELECT contact_id, platform, handle FROM contact_identity
 WHERE tenant_id = $1 AND build = live_build('contacts') ORDER BY contact_id, position, platform, handle;

-- name: imports
-- Which import named whom.
SELECT contact_id, import_id FROM import_contact WHERE tenant_id = $1;

-- name: apart
SELECT contact_id, other_id FROM told_apart WHERE tenant_id = $1 AND build = live_build('contacts');

-- name: met_with
-- With whom these contacts were met, in touchpoints of no more than a dozen people.
SELECT DISTINCT mine.contact_id, other.contact_id AS other_id
  FROM timeline mine
  JOIN timeline other ON other.tenant_id = mine.tenant_id AND other.build = mine.build AND other.touchpoint_id = mine.touchpoint_id
                     AND other.people > 1 AND other.contact_id <> mine.contact_id
 WHERE mine.tenant_id = $1 AND mine.build = live_build('timeline') AND mine.contact_id = ANY ($2)
   AND mine.people BETWEEN 2 AND 12 AND mine.struck_at_position IS NULL;
