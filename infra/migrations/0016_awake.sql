-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Whether something was appended that not everybody has read: who looks for work looks at these tenants only, however many
-- sleep. What is awake for nothing is put to sleep by who finds no work.
ALTER TABLE tenant_head ADD awake boolean NOT NULL DEFAULT true;
CREATE INDEX tenant_head_awake ON tenant_head (tenant_id) WHERE awake;
CREATE INDEX checkpoint_building ON checkpoint (tenant_id) WHERE NOT live;
-- The next piece of periodic work, whose it may be.
CREATE INDEX due_next ON due (due_at);

RESET ROLE;
SET ROLE rapport_log;

-- An append wakes its tenant up: the function of 0001 with one more column in the update of the head.
DO $$
DECLARE
  was text := pg_get_functiondef('rapport.append'::regproc);
  now text := replace(was, 'UPDATE tenant_head h SET position =', 'UPDATE tenant_head h SET awake = true, position =');
BEGIN
  IF now = was THEN
    RAISE EXCEPTION 'the function append is not the one this migration knows';
  END IF;
  EXECUTE now;
END $$;

-- As before, among the tenants that are awake and those with a build under way. A build of a viewpoint follows those of its own
-- viewpoint, where it has any, and reads to its ceiling.
CREATE OR REPLACE FUNCTION claim_work(followers text[], followed text[])
RETURNS TABLE (tenant_id uuid, process text, build int, from_position bigint, to_position bigint, live boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = rapport, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  idle uuid[];
BEGIN
  RETURN QUERY
  WITH target AS MATERIALIZED (
    SELECT c.tenant_id, c.process, c.build, c.position, c.own_position, c.advanced_at, least(h.position, c.ceiling) AS head,
           least(h.position, c.ceiling,
                 CASE WHEN c.build < 0
                      THEN (SELECT min(f.position)
                              FROM (SELECT DISTINCT ON (d.process) d.position FROM checkpoint d
                                     WHERE d.tenant_id = c.tenant_id AND (d.live OR d.build = c.build)
                                       AND d.process IN (SELECT e.followed FROM unnest(followers, followed) AS e (follower, followed)
                                                          WHERE e.follower = c.process)
                                     ORDER BY d.process, d.build) f)
                      ELSE (SELECT min(d.position) FROM checkpoint d
                             WHERE d.tenant_id = c.tenant_id AND d.live
                               AND d.process IN (SELECT e.followed FROM unnest(followers, followed) AS e (follower, followed)
                                                  WHERE e.follower = c.process)) END) AS reach
      FROM (SELECT a.tenant_id FROM tenant_head a WHERE a.awake UNION SELECT b.tenant_id FROM checkpoint b WHERE NOT b.live) w
      JOIN tenant_head h ON h.tenant_id = w.tenant_id
      JOIN checkpoint c ON c.tenant_id = h.tenant_id AND c.position < least(h.position, c.ceiling))
  SELECT c.tenant_id, c.process, c.build, c.position, t.reach, c.live
    FROM target t JOIN checkpoint c ON c.tenant_id = t.tenant_id AND c.process = t.process AND c.build = t.build
   WHERE t.reach > t.position AND t.reach >= t.own_position AND c.position = t.position
     AND (t.head - t.reach <= 2000 OR t.reach - t.position >= 20000)
     AND (c.retry_at IS NULL OR c.retry_at <= now())
   ORDER BY t.advanced_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED;
  IF FOUND THEN
    RETURN;
  END IF;
  -- Locked in one statement, looked at in the next: what was appended since the first began, only the second sees. A scalar
  -- sub-select, so that each tenant's few checkpoints are probed and not all of them read.
  idle := ARRAY(SELECT a.tenant_id FROM tenant_head a
                 WHERE a.awake AND a.position = (SELECT min(c.position) FROM checkpoint c WHERE c.tenant_id = a.tenant_id AND c.live)
                   FOR NO KEY UPDATE SKIP LOCKED);
  IF idle <> '{}' THEN
    UPDATE tenant_head h SET awake = false
     WHERE h.tenant_id = ANY (idle)
       AND h.position = (SELECT min(c.position) FROM checkpoint c WHERE c.tenant_id = h.tenant_id AND c.live);
  END IF;
END $$;

RESET ROLE;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
