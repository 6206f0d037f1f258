-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- What stands for the words of what we wrote, and whether these went to many within a day: then it weighs nothing.
ALTER TABLE timeline ADD COLUMN text_mark text, ADD COLUMN bulk boolean NOT NULL DEFAULT false;
CREATE INDEX timeline_words ON timeline (tenant_id, build, text_mark, occurred_at) WHERE text_mark IS NOT NULL;

-- The last complaint or dispute: it strains the relationship for 90 days.
ALTER TABLE relationship ADD COLUMN strained_at timestamptz;

-- Complaints told before.
GRANT SELECT ON timeline TO rapport_log;
GRANT SELECT, UPDATE ON relationship TO rapport_log;
SET ROLE rapport_log;
UPDATE relationship r SET strained_at = told.at
  FROM (SELECT t.tenant_id, t.contact_id, max(t.occurred_at) AS at
          FROM timeline t JOIN checkpoint c ON c.tenant_id = t.tenant_id AND c.process = 'timeline' AND c.live AND c.build = t.build
         WHERE t.kind = 'complaint' AND t.struck_at_position IS NULL GROUP BY t.tenant_id, t.contact_id) AS told
 WHERE r.tenant_id = told.tenant_id AND r.contact_id = told.contact_id;
SET ROLE rapport_owner;
REVOKE SELECT ON timeline FROM rapport_log;
REVOKE SELECT, UPDATE ON relationship FROM rapport_log;

RESET ROLE;
RESET search_path;

-- migrate:down
