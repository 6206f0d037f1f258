-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Who spoke for us, bought, or came: few of all touchpoints, asked for by kind over a year.
CREATE INDEX timeline_kind ON timeline (tenant_id, build, kind, occurred_at)
 WHERE kind IN ('vouch', 'share', 'review', 'mention', 'referral', 'introduction', 'purchase', 'attendance');

-- What we did in a channel on a UTC day, counted from 1970-01-01; `acts` were written by a person.
CREATE TABLE channel_day (
  tenant_id uuid NOT NULL,
  build     int NOT NULL,
  slug      text NOT NULL,
  day       int NOT NULL,
  acts      int NOT NULL,
  gives     int NOT NULL,
  promotes  int NOT NULL,
  PRIMARY KEY (tenant_id, build, slug, day));
CALL raise_wall('channel_day');
GRANT SELECT, INSERT, UPDATE, DELETE ON channel_day TO rapport_app;

-- What happened before fills it in a build of its own, which takes the live one's place when it has caught up.
GRANT INSERT ON checkpoint TO rapport_log;
SET ROLE rapport_log;
INSERT INTO checkpoint (tenant_id, process, build, live)
SELECT c.tenant_id, 'network', max(c.build) + 1, false FROM checkpoint c JOIN tenant_head h ON h.tenant_id = c.tenant_id AND h.position > 0
 WHERE c.process = 'network' GROUP BY c.tenant_id HAVING bool_and(c.live);
SET ROLE rapport_owner;
REVOKE INSERT ON checkpoint FROM rapport_log;

RESET ROLE;
RESET search_path;

-- migrate:down
