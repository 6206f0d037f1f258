-- name: suggest
INSERT INTO nudge (tenant_id, build, nudge_id, contact_id, kind, state, priority, numbers, touchpoint_ids, question, suggested_at, expires_at,
                   position, stream_position, referral_id)
VALUES ($1, $2, $3, $4, $5, 'suggested', $6, $7, $8, $9, $10, $11, $12, $12, $13) ON CONFLICT DO NOTHING;

-- name: accept
UPDATE nudge SET state = 'accepted', stream_position = $4 WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: snooze
UPDATE nudge SET state = 'snoozed', snoozed_until = $5, expires_at = greatest(expires_at, $6::timestamptz), stream_position = $4
 WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: end
UPDATE nudge SET state = $5, ended_at = $6, done_by = $7, because = $8, stream_position = $4
 WHERE tenant_id = $1 AND build = $2 AND nudge_id = $3;

-- name: set_policy
INSERT INTO nudge_policy (tenant_id, build, policy, set_at, position) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, build) DO UPDATE SET policy = excluded.policy, set_at = excluded.set_at, position = excluded.position;

-- name: policy
SELECT policy, set_at, position FROM nudge_policy WHERE tenant_id = $1 AND build = live_build('nudges');

-- name: mute
INSERT INTO nudge_mute (tenant_id, build, contact_id, kind, until) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, build, contact_id, kind) DO UPDATE SET until = excluded.until;

-- name: unmute
-- A word of its own, over a mute of those merged into it.
INSERT INTO nudge_mute (tenant_id, build, contact_id, kind, until) VALUES ($1, $2, $3, $4, '-infinity')
    ON CONFLICT (tenant_id, build, contact_id, kind) DO UPDATE SET until = excluded.until;

-- name: mutes
-- Of contacts that are one, in their order: the first word on each kind.
SELECT kind, until FROM (
       SELECT DISTINCT ON (kind) kind, until FROM nudge_mute
        WHERE tenant_id = $1 AND build = live_build('nudges') AND contact_id = ANY ($2) ORDER BY kind, array_position($2, contact_id)) AS m
 WHERE until > $3 ORDER BY kind;

-- name: due_by
-- The next thought is no later than this.
UPDATE due SET due_at = $2 WHERE tenant_id = $1 AND task = 'suggest' AND due_at > $2;

-- name: past
-- What decides about new ones: the open, those of a time, those that asked or were about a referral, and every no.
SELECT nudge_id, standing(contact_id) AS contact_id, kind, state, suggested_at, expires_at, ended_at, question IS NOT NULL AS asked, referral_id,
       convert_from(numbers, 'UTF8')::json ->> 'for_weak' IS NOT NULL AS for_weak, stream_position
  FROM nudge
 WHERE tenant_id = $1 AND build = live_build('nudges')
   AND (ended_at IS NULL OR ended_at > $2::timestamptz OR question IS NOT NULL OR referral_id IS NOT NULL OR state = 'dismissed');

-- name: usual_trend
-- The median trend of the relationships that go on, where five have one; and how many people there are.
SELECT CASE WHEN count(trend) >= 5 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY trend) END AS usual_trend,
       count(*) FILTER (WHERE touchpoints > 0) AS people
  FROM relationship WHERE tenant_id = $1 AND build = live_build('relationships');

-- name: unthanked
-- Received referrals nobody was thanked for: neither by their own outcome nor by a touchpoint of thanks since.
SELECT standing(r.referrer_id) AS referrer_id, r.referral_id, r.made_at, r.touchpoint_id FROM referral r
 WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.direction = 'received' AND r.thanked_at IS NULL AND NOT r.withdrawn
   AND r.made_at > $2::timestamptz
   AND NOT EXISTS (
        SELECT FROM timeline t
         WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = ANY (everybody(r.referrer_id)) AND t.act = 'thank'
           AND t.direction <> 'in' AND t.occurred_at >= r.made_at AND t.struck_at_position IS NULL);

-- part: candidate
-- Standing contacts, with all that they stand for. Somebody removed has no relationship any more, which counts as closed.
SELECT c.contact_id, coalesce(r.score, 0) AS score, coalesce(r.stage, 0) AS stage, coalesce(r.given, 0) AS given,
       coalesce(r.received, 0) AS received, coalesce(r.online_points, 0) AS online_points, r.met_at, r.rhythm, c.locality, c.within_reach,
       c.closed, c.leave_alone, c.told, r.contact_id IS NULL AS removed, r.strained_at,
       ARRAY(SELECT m.kind FROM (
               SELECT DISTINCT ON (m.kind) m.kind, m.until FROM nudge_mute m
                WHERE m.tenant_id = $1 AND m.build = live_build('nudges') AND m.contact_id = ANY (one.people)
                ORDER BY m.kind, array_position(one.people, m.contact_id)) AS m WHERE m.until > $2) AS muted,
       EXISTS (SELECT FROM appointment_person p
                 JOIN appointment a ON a.tenant_id = p.tenant_id AND a.build = p.build AND a.appointment_id = p.appointment_id
                WHERE p.tenant_id = $1 AND p.build = live_build('appointments') AND p.contact_id = ANY (one.people) AND p.planned
                  AND a.state = 'planned' AND a.ends_at > $2 AND a.kind <> 'attendance') AS booked,
       (SELECT min(a.starts_at) FROM appointment_person p
          JOIN appointment a ON a.tenant_id = p.tenant_id AND a.build = p.build AND a.appointment_id = p.appointment_id
         WHERE p.tenant_id = $1 AND p.build = live_build('appointments') AND p.contact_id = ANY (one.people) AND p.planned
           AND a.state = 'planned' AND a.starts_at > $2 AND a.kind = 'attendance') AS occasion_at,
       (SELECT count(DISTINCT coalesce(s.standing_id, known.contact_id))
          FROM (SELECT other.contact_id
                  FROM timeline mine JOIN timeline other ON other.tenant_id = mine.tenant_id AND other.build = mine.build
                                                       AND other.touchpoint_id = mine.touchpoint_id AND other.people > 1
                 WHERE mine.tenant_id = $1 AND mine.build = live_build('timeline') AND mine.contact_id = ANY (one.people)
                   AND mine.people > 1 AND mine.struck_at_position IS NULL
                 UNION
                SELECT t.other_id FROM tie t
                 WHERE t.tenant_id = $1 AND t.build = live_build('referrals') AND t.contact_id = ANY (one.people) AND NOT t.withdrawn
               ) AS known
          LEFT JOIN contact_alias s ON s.tenant_id = $1 AND s.build = live_build('contacts') AND s.contact_id = known.contact_id
         WHERE known.contact_id <> ALL (one.people)) AS shared_contacts,
       ARRAY(SELECT t.touchpoint_id FROM unnest(one.people) AS who (contact_id)
              CROSS JOIN LATERAL (
                    SELECT t.touchpoint_id, t.occurred_at FROM timeline t
                     WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = who.contact_id AND t.struck_at_position IS NULL
                     ORDER BY t.occurred_at DESC, t.touchpoint_id LIMIT 5) AS t
              GROUP BY t.touchpoint_id, t.occurred_at ORDER BY t.occurred_at DESC, t.touchpoint_id LIMIT 5) AS touchpoint_ids
  FROM contact c
 CROSS JOIN LATERAL (SELECT everybody(c.contact_id) AS people) AS one
  LEFT JOIN relationship r ON r.tenant_id = c.tenant_id AND r.build = live_build('relationships') AND r.contact_id = c.contact_id
 WHERE c.tenant_id = $1 AND c.build = live_build('contacts')

-- name: candidates
-- Two-way online ties that never met, the overdue among the familiar, and these; with whom they were met together and the
-- latest touchpoints behind them. Who they are is asked first, by score: all others need not be looked at.
{candidate}
   AND r.contact_id IS NOT NULL
   AND c.contact_id = ANY ($3::uuid[] || ARRAY(
        SELECT o.contact_id FROM relationship o
         WHERE o.tenant_id = $1 AND o.build = live_build('relationships') AND o.half = 'online_only' AND o.score >= 25
           AND o.online_points >= 1.5
         UNION
        SELECT o.contact_id FROM relationship o
         WHERE o.tenant_id = $1 AND o.build = live_build('relationships') AND o.score >= 35 AND o.rhythm_status = 'overdue'));

-- name: known
-- These contacts, whatever became of them.
{candidate}
   AND c.contact_id = ANY ($3::uuid[]);

-- name: page
-- $2 picks states; snoozed ones wait for their time unless asked for. $4 and $5 are the last row of the page before.
SELECT n.nudge_id, n.contact_id, n.kind, n.state, n.priority, n.numbers, n.touchpoint_ids, n.question, n.suggested_at, n.expires_at,
       n.snoozed_until, n.ended_at, n.done_by, n.because, n.referral_id
  FROM nudge n
 WHERE n.tenant_id = $1 AND n.build = live_build('nudges')
   AND (n.state = ANY ($2::text[]) OR ('due' = ANY ($2::text[]) AND n.state = 'snoozed' AND n.snoozed_until <= $3))
   AND ($4::timestamptz IS NULL OR (n.suggested_at, n.nudge_id) < ($4, $5::uuid))
 ORDER BY n.suggested_at DESC, n.nudge_id DESC LIMIT $6;

-- name: last_times
-- What these touchpoints were, each with a contact of it; the arrays run side by side. A topic that somebody of the
-- touchpoint told in confidence is left out.
SELECT DISTINCT ON (x.contact_id, t.touchpoint_id)
       x.contact_id, t.touchpoint_id, t.kind, t.channel, k.name AS channel_name, k.realm,
       ARRAY(SELECT told.topic FROM unnest(t.topics) AS told (topic)
              WHERE NOT EXISTS (
                    SELECT FROM contact_interest i
                     WHERE i.tenant_id = $1 AND i.build = live_build('contacts') AND i.in_confidence AND lower(i.topic) = lower(told.topic)
                       AND (i.contact_id = ANY (everybody(t.contact_id)) OR (t.people > 1 AND i.contact_id IN (
                            SELECT unnest(everybody(o.contact_id)) FROM timeline o
                             WHERE o.tenant_id = $1 AND o.build = t.build AND o.touchpoint_id = t.touchpoint_id AND o.people > 1))))) AS topics
  FROM unnest($2::uuid[], $3::uuid[]) AS x (contact_id, touchpoint_id)
  JOIN timeline t ON t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = ANY (everybody(x.contact_id))
                 AND t.touchpoint_id = x.touchpoint_id
  LEFT JOIN channel k ON k.tenant_id = $1 AND k.build = live_build('network') AND k.slug = t.channel
 WHERE t.struck_at_position IS NULL;

-- name: handed
-- The referrals some nudges are about, with who was handed over.
SELECT r.referral_id, r.made_at, r.status, r.prospect_id FROM referral r
 WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.referral_id = ANY ($2);
