-- name: suggest
INSERT INTO nudge (tenant_id, build, nudge_id, contact_id, kind, state, priority, numbers, touchpoint_ids, question, suggested_at, expires_at, position)
VALUES ($1, $2, $3, $4, $5, 'suggested', $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING;

-- name: accept
UPDATE nudge SET state = 'accepted' WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: snooze
UPDATE nudge SET state = 'snoozed', snoozed_until = $4, expires_at = greatest(expires_at, $5::timestamptz)
 WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: end
UPDATE nudge SET state = $4, ended_at = $5, done_by = $6 WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: past
-- What decides about new ones: the open, those of the longest rest, and all that asked a question.
SELECT n.nudge_id, n.contact_id, n.kind, n.state, n.suggested_at, n.expires_at, n.ended_at, n.question IS NOT NULL AS asked,
       c.closed IS NOT NULL OR EXISTS (
         SELECT FROM removed_contact r
          WHERE r.tenant_id = n.tenant_id AND r.build = live_build('relationships') AND r.contact_id = n.contact_id
            AND r.removed_at_position > r.seen_at_position) AS closed
  FROM nudge n
  LEFT JOIN contact c ON c.tenant_id = n.tenant_id AND c.build = live_build('contacts') AND c.contact_id = n.contact_id
 WHERE n.tenant_id = $1 AND n.build = live_build('nudges')
   AND (n.ended_at IS NULL OR n.ended_at > $2::timestamptz OR n.question IS NOT NULL);

-- name: online_candidates
-- Two-way online ties that never met, with whom they were met together and the latest touchpoints behind them.
SELECT r.contact_id, r.score, r.given, r.received, r.online_points, r.met_at, c.locality, c.within_reach, c.closed IS NOT NULL AS closed,
       (SELECT count(DISTINCT other.contact_id)
          FROM timeline mine JOIN timeline other ON other.tenant_id = mine.tenant_id AND other.build = mine.build
                                               AND other.touchpoint_id = mine.touchpoint_id AND other.people > 1
         WHERE mine.tenant_id = $1 AND mine.build = live_build('timeline') AND mine.contact_id = r.contact_id
           AND mine.people > 1 AND mine.struck_at_position IS NULL AND other.contact_id <> r.contact_id) AS shared_contacts,
       ARRAY(SELECT t.touchpoint_id FROM timeline t
              WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = r.contact_id AND t.struck_at_position IS NULL
              ORDER BY t.occurred_at DESC, t.touchpoint_id LIMIT 5) AS touchpoint_ids
  FROM relationship r
  JOIN contact c ON c.tenant_id = r.tenant_id AND c.build = live_build('contacts') AND c.contact_id = r.contact_id
 WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.half = 'online_only'
   AND r.score >= 25 AND r.online_points >= 1.5;

-- name: page
-- $2 picks states; snoozed ones wait for their time unless asked for. $4 and $5 are the last row of the page before.
SELECT n.nudge_id, n.contact_id, n.kind, n.state, n.priority, n.numbers, n.touchpoint_ids, n.question, n.suggested_at, n.expires_at,
       n.snoozed_until, n.ended_at, n.done_by, c.name,
       (SELECT i.handle FROM contact_identity i
         WHERE i.tenant_id = n.tenant_id AND i.build = live_build('contacts') AND i.contact_id = n.contact_id
         ORDER BY i.position, i.platform, i.handle LIMIT 1) AS handle
  FROM nudge n
  LEFT JOIN contact c ON c.tenant_id = n.tenant_id AND c.build = live_build('contacts') AND c.contact_id = n.contact_id
 WHERE n.tenant_id = $1 AND n.build = live_build('nudges')
   AND (n.state = ANY ($2::text[]) OR ('due' = ANY ($2::text[]) AND n.state = 'snoozed' AND n.snoozed_until <= $3))
   AND ($4::timestamptz IS NULL OR (n.suggested_at, n.nudge_id) < ($4, $5::uuid))
 ORDER BY n.suggested_at DESC, n.nudge_id DESC LIMIT $6;
