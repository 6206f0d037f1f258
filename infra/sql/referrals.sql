-- name: make
INSERT INTO referral (tenant_id, build, referral_id, direction, referrer_id, prospect_id, heat, channel, touchpoint_id, made_at, position,
                      told, status)
SELECT $1, $2, x.*, $12, 'open'
  FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::smallint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::bigint[]) AS x
    ON CONFLICT DO NOTHING;

-- name: load
SELECT referral_id, referrer_id, touchpoint_id, told FROM referral WHERE tenant_id = $1 AND build = $2 AND referral_id = ANY ($3);

-- name: judge
UPDATE referral r
   SET told = x.told, status = x.status, contacted_at = x.contacted_at, met_at = x.met_at, decided_at = x.decided_at, value = x.value,
       currency = x.currency, thanked_at = x.thanked_at, withdrawn = x.withdrawn
  FROM unnest($3::uuid[], $4::bytea[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::numeric[], $10::text[],
              $11::timestamptz[], $12::bool[])
       AS x (referral_id, told, status, contacted_at, met_at, decided_at, value, currency, thanked_at, withdrawn)
 WHERE r.tenant_id = $1 AND r.build = $2 AND r.referral_id = x.referral_id;

-- name: struck
-- Which of these touchpoints count no more, each with a contact of it; the arrays run side by side.
SELECT x.touchpoint_id
  FROM unnest($2::uuid[], $3::uuid[]) AS x (contact_id, touchpoint_id)
  JOIN timeline t ON t.tenant_id = $1 AND t.build = live_build('timeline') AND t.contact_id = x.contact_id
                 AND t.touchpoint_id = x.touchpoint_id
 WHERE t.struck_at_position IS NOT NULL;

-- name: tie
INSERT INTO tie (tenant_id, build, contact_id, other_id, position, touchpoint_id, noted_at)
SELECT $1, $2, x.* FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::timestamptz[]) AS x ON CONFLICT DO NOTHING;

-- name: withdraw_ties
UPDATE tie SET withdrawn = touchpoint_id = ANY ($4) WHERE tenant_id = $1 AND build = $2 AND touchpoint_id = ANY ($3);

-- name: page
-- The newest first. Filters are off where NULL; $10 and $11 are the last row of the page before.
SELECT * FROM referral
 WHERE tenant_id = $1 AND build = live_build('referrals') AND withdrawn = $2
   AND ($3::text IS NULL OR direction = $3)
   AND ($4::text IS NULL OR status = $4)
   AND ($5::uuid[] IS NULL OR referrer_id = ANY ($5))
   AND ($6::uuid[] IS NULL OR prospect_id = ANY ($6))
   AND ($7::bool IS NULL OR (direction = 'received' AND thanked_at IS NULL) = $7)
   AND ($8::timestamptz IS NULL OR made_at >= $8)
   AND ($10::timestamptz IS NULL OR (made_at, referral_id) < ($10, $11::uuid))
 ORDER BY made_at DESC, referral_id DESC LIMIT $9;

-- name: one
SELECT * FROM referral WHERE tenant_id = $1 AND build = live_build('referrals') AND referral_id = $2;

-- name: received
-- All that chains are made of, the oldest first.
SELECT referral_id, standing(referrer_id) AS referrer_id, standing(prospect_id) AS prospect_id, status, made_at, decided_at, value, currency,
       thanked_at, contacted_at, heat
  FROM referral
 WHERE tenant_id = $1 AND build = live_build('referrals') AND direction = 'received' AND NOT withdrawn
 ORDER BY made_at, referral_id;

-- name: of_contact
-- What contacts that are one referred to us, and we to them.
SELECT direction, count(*) AS referrals, count(*) FILTER (WHERE status = 'won') AS won, sum(value) AS value, max(currency) AS currency
  FROM referral
 WHERE tenant_id = $1 AND build = live_build('referrals') AND referrer_id = ANY ($2) AND NOT withdrawn GROUP BY direction;

-- name: referred_by
-- Who handed contacts that are one over to us.
SELECT referral_id, referrer_id, status, made_at FROM referral
 WHERE tenant_id = $1 AND build = live_build('referrals') AND prospect_id = ANY ($2) AND direction = 'received' AND NOT withdrawn
 ORDER BY made_at, referral_id LIMIT 20;

-- name: vouches
-- Public recommendations: theirs of us, and ours of them.
SELECT direction <> 'out' AS received, count(DISTINCT touchpoint_id) AS vouches, max(occurred_at) AS last_at FROM timeline
 WHERE tenant_id = $1 AND build = live_build('timeline') AND contact_id = ANY ($2) AND kind = 'vouch' AND struck_at_position IS NULL
 GROUP BY received;

-- name: ties
-- Whom contacts that are one know: as told, by introductions, by referrals, and seen together in touchpoints of no more than a
-- dozen. Those known stand as who stands for them.
WITH known AS (
  SELECT other_id, min(noted_at) FILTER (WHERE touchpoint_id IS NULL) AS told_at,
         min(noted_at) FILTER (WHERE touchpoint_id IS NOT NULL) AS introduced_at, NULL::timestamptz AS referred_at,
         NULL::uuid AS touchpoint_id, NULL::timestamptz AS together_at
    FROM tie WHERE tenant_id = $1 AND build = live_build('referrals') AND contact_id = ANY ($2) AND NOT withdrawn GROUP BY other_id
   UNION ALL
  SELECT prospect_id, NULL, NULL, min(made_at), NULL, NULL
    FROM referral WHERE tenant_id = $1 AND build = live_build('referrals') AND referrer_id = ANY ($2) AND NOT withdrawn GROUP BY prospect_id
   UNION ALL
  SELECT referrer_id, NULL, NULL, min(made_at), NULL, NULL
    FROM referral WHERE tenant_id = $1 AND build = live_build('referrals') AND prospect_id = ANY ($2) AND NOT withdrawn GROUP BY referrer_id
   UNION ALL
  SELECT other.contact_id, NULL, NULL, NULL, other.touchpoint_id, other.occurred_at
    FROM timeline mine JOIN timeline other ON other.tenant_id = mine.tenant_id AND other.build = mine.build
                                         AND other.touchpoint_id = mine.touchpoint_id AND other.people > 1
   WHERE mine.tenant_id = $1 AND mine.build = live_build('timeline') AND mine.contact_id = ANY ($2) AND mine.people BETWEEN 2 AND 12
     AND mine.struck_at_position IS NULL AND other.contact_id <> ALL ($2)),
     standing AS (
  SELECT coalesce(a.standing_id, k.other_id) AS other_id, k.told_at, k.introduced_at, k.referred_at, k.touchpoint_id, k.together_at
    FROM known k LEFT JOIN contact_alias a ON a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = k.other_id
   WHERE k.other_id <> ALL ($2))
SELECT other_id, min(told_at) AS told_at, min(introduced_at) AS introduced_at, min(referred_at) AS referred_at,
       count(DISTINCT touchpoint_id) AS together, max(together_at) AS last_together_at
  FROM standing WHERE $3::uuid IS NULL OR other_id > $3
 GROUP BY other_id ORDER BY other_id LIMIT $4;


-- name: spoken
-- What was said of us, and introductions and vouches both ways, between two instants; each touchpoint once.
SELECT kind, received, count(*) AS times, coalesce(sum(audience), 0)::bigint AS reach
  FROM (SELECT DISTINCT touchpoint_id, kind, direction <> 'out' AS received, audience FROM timeline
         WHERE tenant_id = $1 AND build = live_build('timeline') AND kind IN ('vouch', 'share', 'review', 'mention', 'introduction')
           AND occurred_at > $2 AND occurred_at <= $3 AND struck_at_position IS NULL AND NOT automated AND coalesce(about, 'us') = 'us') AS once
 GROUP BY kind, received;

-- name: supporters
-- Who vouched for us, shared or reviewed something of ours, or referred somebody to us between two instants, the latest first.
WITH spoken AS (
  SELECT DISTINCT coalesce(a.standing_id, t.contact_id) AS contact_id, t.touchpoint_id, t.kind, t.occurred_at
    FROM timeline t
    LEFT JOIN contact_alias a ON a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = t.contact_id
   WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.kind IN ('vouch', 'share', 'review', 'referral')
     AND t.occurred_at > $2 AND t.occurred_at <= $3 AND t.direction <> 'out' AND t.struck_at_position IS NULL AND NOT t.automated
     AND coalesce(t.about, 'us') = 'us')
SELECT s.contact_id, max(s.occurred_at) AS last_at, count(*) FILTER (WHERE s.kind = 'vouch') AS vouches,
       count(*) FILTER (WHERE s.kind = 'share') AS shares, count(*) FILTER (WHERE s.kind = 'review') AS reviews,
       count(*) FILTER (WHERE s.kind = 'referral') AS referrals, c.locality, c.within_reach, coalesce(r.stage, 0) AS stage
  FROM spoken s
  JOIN contact c ON c.tenant_id = $1 AND c.build = live_build('contacts') AND c.contact_id = s.contact_id
  LEFT JOIN relationship r ON r.tenant_id = $1 AND r.build = live_build('relationships') AND r.contact_id = s.contact_id
 GROUP BY s.contact_id, c.locality, c.within_reach, r.stage
 ORDER BY last_at DESC, s.contact_id;

-- name: of_referrers
-- How these contacts stand: since when they are known, how far they have come, their rhythm, how often they vouched for us.
WITH vouched AS (
  SELECT coalesce(a.standing_id, t.contact_id) AS contact_id, count(DISTINCT t.touchpoint_id) AS vouches
    FROM timeline t
    LEFT JOIN contact_alias a ON a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = t.contact_id
   WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.kind = 'vouch' AND t.direction <> 'out'
     AND t.struck_at_position IS NULL
   GROUP BY 1)
SELECT r.contact_id, r.first_touch_at, r.stage, r.rhythm, coalesce(v.vouches, 0) AS vouches
  FROM relationship r LEFT JOIN vouched v ON v.contact_id = r.contact_id
 WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.contact_id = ANY ($2);

-- name: told_after
-- When the referrer of each decided referral first heard from us afterwards; null where they have not.
SELECT r.referral_id, r.decided_at,
       (SELECT min(t.occurred_at) FROM timeline t
         WHERE t.tenant_id = $1 AND t.build = live_build('timeline') AND t.occurred_at >= r.decided_at
           AND t.direction <> 'in' AND t.struck_at_position IS NULL AND NOT t.automated
           AND t.contact_id = ANY (r.referrer_id || ARRAY(
               SELECT other.contact_id FROM contact_alias a
                 JOIN contact_alias other ON other.tenant_id = $1 AND other.build = a.build AND other.standing_id = a.standing_id
                WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = r.referrer_id
                UNION
               SELECT a.standing_id FROM contact_alias a
                WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = r.referrer_id
                UNION
               SELECT a.contact_id FROM contact_alias a
                WHERE a.tenant_id = $1 AND a.build = live_build('contacts') AND a.standing_id = r.referrer_id))) AS told_at
  FROM referral r
 WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND r.direction = 'received' AND NOT r.withdrawn AND r.decided_at IS NOT NULL;

-- name: given
-- What we handed over: how often, and what became of it.
SELECT count(*) AS referrals, count(*) FILTER (WHERE status = 'won') AS won, sum(value) AS value
  FROM referral WHERE tenant_id = $1 AND build = live_build('referrals') AND direction = 'given' AND NOT withdrawn;

-- name: between
-- All referrals with those who are allies or more, both ways.
SELECT p.contact_id AS referrer_id, r.direction, r.made_at, r.decided_at, r.value, p.stage
  FROM referral r
  LEFT JOIN contact_alias a ON a.tenant_id = $1 AND a.build = live_build('contacts') AND a.contact_id = r.referrer_id
  JOIN relationship p ON p.tenant_id = $1 AND p.build = live_build('relationships') AND p.stage >= 4
                     AND p.contact_id = coalesce(a.standing_id, r.referrer_id)
 WHERE r.tenant_id = $1 AND r.build = live_build('referrals') AND NOT r.withdrawn;
