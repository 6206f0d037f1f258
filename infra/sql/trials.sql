-- name: live
SELECT build FROM checkpoint WHERE tenant_id = $1 AND process = 'relationships' AND live;

-- name: people
-- Everybody there is a relationship with.
SELECT contact_id FROM relationship WHERE tenant_id = $1 AND build = live_build('relationships') ORDER BY contact_id;

-- name: facts
SELECT contact_id, locality, within_reach, leave_alone, how_often, closed FROM contact
 WHERE tenant_id = $1 AND build = live_build('contacts') AND contact_id = ANY ($2);

-- name: suggested
SELECT nudge_id, contact_id, kind, suggested_at FROM nudge
 WHERE tenant_id = $1 AND build = live_build('nudges') AND contact_id = ANY ($2) AND kind = ANY ($3) AND suggested_at >= $4
 ORDER BY suggested_at, nudge_id;

-- name: counts
-- How many relationships there are by both models, and how many scores move by a tenth or more.
SELECT count(*) AS contacts, count(*) FILTER (WHERE abs(b.score - a.score) >= 0.05) AS moved
  FROM relationship b JOIN relationship a ON a.tenant_id = b.tenant_id AND a.contact_id = b.contact_id AND a.build = $2
 WHERE b.tenant_id = $1 AND b.build = live_build('relationships');

-- name: stages
SELECT b.stage AS before, a.stage AS after, count(*) AS contacts
  FROM relationship b JOIN relationship a ON a.tenant_id = b.tenant_id AND a.contact_id = b.contact_id AND a.build = $2
 WHERE b.tenant_id = $1 AND b.build = live_build('relationships') AND b.stage <> a.stage
 GROUP BY 1, 2 ORDER BY 1, 2;

-- name: movers
-- Those whose score moves most.
SELECT b.contact_id, coalesce(c.name, (SELECT i.handle FROM contact_identity i
         WHERE i.tenant_id = $1 AND i.build = live_build('contacts') AND i.contact_id = b.contact_id
         ORDER BY i.position, i.platform, i.handle LIMIT 1)) AS name,
       b.score AS score_before, a.score AS score_after, b.stage AS stage_before, a.stage AS stage_after
  FROM relationship b JOIN relationship a ON a.tenant_id = b.tenant_id AND a.contact_id = b.contact_id AND a.build = $2
  LEFT JOIN contact c ON c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = b.contact_id
 WHERE b.tenant_id = $1 AND b.build = live_build('relationships') AND (b.stage <> a.stage OR abs(b.score - a.score) >= 0.05)
 ORDER BY abs(b.score - a.score) DESC, b.contact_id LIMIT $3;
