-- name: groups
-- The links of all contacts that are one with any of these.
SELECT contact_id, into_id, position FROM contact_alias
 WHERE tenant_id = $1 AND build = $2 AND standing_id = ANY ($3::uuid[] || ARRAY(
       SELECT standing_id FROM contact_alias WHERE tenant_id = $1 AND build = $2 AND contact_id = ANY ($3)));

-- name: unlink
DELETE FROM contact_alias WHERE tenant_id = $1 AND build = $2 AND contact_id = ANY ($3);

-- name: link
INSERT INTO contact_alias (tenant_id, build, contact_id, into_id, position, standing_id, rank)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::int[]) AS x;

-- name: call
-- What these contacts are called by those merged into them.
UPDATE contact c SET merged_name = x.name
  FROM (SELECT w.contact_id, (SELECT m.name FROM contact_alias a
                                JOIN contact m ON m.tenant_id = a.tenant_id AND m.build = a.build AND m.contact_id = a.contact_id
                               WHERE a.tenant_id = $1 AND a.build = $2 AND a.standing_id = w.contact_id AND m.name IS NOT NULL
                               ORDER BY a.rank LIMIT 1) AS name
          FROM unnest($3::uuid[]) AS w (contact_id)) AS x
 WHERE c.tenant_id = $1 AND c.build = $2 AND c.contact_id = x.contact_id AND c.merged_name IS DISTINCT FROM x.name;

-- name: called_anew
-- Who stands for these contacts, where others do, in one build.
SELECT DISTINCT standing_id FROM contact_alias WHERE tenant_id = $1 AND build = $2 AND contact_id = ANY ($3);

-- name: tell_apart
INSERT INTO told_apart (tenant_id, build, contact_id, other_id, position)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS x ON CONFLICT DO NOTHING;

-- name: standing
-- Who stands for these contacts, where others do.
SELECT contact_id, standing_id FROM contact_alias
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2);

-- name: members
-- Those that these contacts stand for beside themselves, by rank.
SELECT standing_id, contact_id FROM contact_alias
 WHERE tenant_id = $1 AND build = live_build('contacts') AND standing_id = ANY ($2) ORDER BY standing_id, rank;

-- name: links
-- The last word, in the log itself, on whom each of these contacts is merged into; their streams are given.
SELECT DISTINCT ON (stream) position, type, version, body FROM event
 WHERE tenant_id = $1 AND stream = ANY ($2) AND type IN ('contact.merged', 'contact.unmerged')
 ORDER BY stream, position DESC;

-- name: removed
-- Those of these contacts that were removed, and of whom nothing was said since: neither in their own streams, which are
-- given, nor elsewhere, as far as the views have it.
SELECT e.contact_id
  FROM (SELECT DISTINCT ON (stream) substring(stream FROM 9)::uuid AS contact_id, type FROM event
         WHERE tenant_id = $1 AND stream = ANY ($2) ORDER BY stream, position DESC) AS e
 WHERE e.type = 'contact.removed'
   AND NOT EXISTS (SELECT FROM removed_contact r
                    WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.contact_id = e.contact_id
                      AND r.seen_at_position > r.removed_at_position);

