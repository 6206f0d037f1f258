-- name: describe
INSERT INTO channel (tenant_id, build, slug, name, realm, role, access, topics, sensitive, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (tenant_id, build, slug) DO UPDATE
   SET name = excluded.name, realm = excluded.realm, role = excluded.role, access = excluded.access, topics = excluded.topics,
       sensitive = excluded.sensitive, position = excluded.position WHERE channel.position <= excluded.position;

-- name: count
-- A channel whose opening is parked is shown by its slug until that is replayed.
INSERT INTO channel (tenant_id, build, slug, name, realm, role, access, topics, sensitive, position, touchpoints, posts, reach, gives, promotes)
SELECT $1, $2, x.slug, x.slug, 'virtual', 'outpost', 'open', '{}', false, 0, x.touchpoints, x.posts, x.reach, x.gives, x.promotes
  FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
       AS x (slug, touchpoints, posts, reach, gives, promotes)
    ON CONFLICT (tenant_id, build, slug) DO UPDATE
   SET touchpoints = channel.touchpoints + excluded.touchpoints, posts = channel.posts + excluded.posts,
       reach = channel.reach + excluded.reach, gives = channel.gives + excluded.gives, promotes = channel.promotes + excluded.promotes;

-- name: realms
SELECT slug, realm FROM channel WHERE tenant_id = $1 AND build = live_build('network') AND position > 0;

-- name: channels
SELECT slug, name, realm, role, access, topics, sensitive, touchpoints, posts, reach, gives, promotes,
       (SELECT count(*) FROM relationship r
         WHERE r.tenant_id = c.tenant_id AND r.build = live_build('relationships') AND r.channels @> ARRAY[c.slug]) AS contacts
  FROM channel c WHERE tenant_id = $1 AND build = live_build('network') AND ($2::text IS NULL OR slug > $2) ORDER BY slug LIMIT $3;

-- name: halves
SELECT half, count(*) AS contacts FROM relationship WHERE tenant_id = $1 AND build = live_build('relationships') GROUP BY half;

-- name: strongest_of_halves
-- The strongest of each half.
SELECT x.half, r.contact_id, r.score, r.stage, r.met_at, r.last_touch_at
  FROM unnest(ARRAY['online_only', 'in_person_only', 'both', 'named_only']) AS x (half)
 CROSS JOIN LATERAL (
       SELECT * FROM relationship r
        WHERE r.tenant_id = $1 AND r.build = live_build('relationships') AND r.half = x.half
        ORDER BY r.score DESC, r.contact_id LIMIT $2) r
 ORDER BY x.half, r.score DESC, r.contact_id;
