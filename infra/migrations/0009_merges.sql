-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Contacts that were merged: into which, and which contact stands for them now, chains resolved. Of several that one
-- contact stands for, the word of the lower `rank` stands.
CREATE TABLE contact_alias (
  tenant_id   uuid NOT NULL,
  build       int NOT NULL,
  contact_id  uuid NOT NULL,
  into_id     uuid NOT NULL,
  position    bigint NOT NULL,                     -- of the merge
  standing_id uuid NOT NULL,
  rank        int NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id));
CREATE INDEX contact_alias_standing ON contact_alias (tenant_id, build, standing_id, rank);

-- Pairs that are not the same person, the smaller id first.
CREATE TABLE told_apart (
  tenant_id  uuid NOT NULL,
  build      int NOT NULL,
  contact_id uuid NOT NULL,
  other_id   uuid NOT NULL,
  position   bigint NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id, other_id));

-- What those merged into a contact are called, where it has no name of its own: lists sort by it.
ALTER TABLE contact ADD COLUMN merged_name text;
-- Of which fields this contact itself was told, also that there is nothing: there its word stands over that of those
-- merged into it.
ALTER TABLE contact ADD COLUMN told text[] NOT NULL DEFAULT '{}';
DROP INDEX contact_by_name;
CREATE INDEX contact_by_name ON contact (tenant_id, build, lower(coalesce(name, merged_name, '')), contact_id);

CALL raise_wall('contact_alias');
CALL raise_wall('told_apart');
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_alias, told_apart TO rapport_app;

-- Who stands for a contact in the running transaction's tenant: itself, where it is not merged.
CREATE FUNCTION standing(who uuid) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
'SELECT coalesce((SELECT a.standing_id FROM rapport.contact_alias a
                   WHERE a.tenant_id = rapport.current_tenant() AND a.build = rapport.live_build(''contacts'') AND a.contact_id = who), who)';

-- All contacts that are one with this one: who stands for them first, then by whose word stands.
CREATE FUNCTION everybody(who uuid) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
'SELECT s.contact_id || ARRAY(SELECT a.contact_id FROM rapport.contact_alias a
                               WHERE a.tenant_id = rapport.current_tenant() AND a.build = rapport.live_build(''contacts'')
                                 AND a.standing_id = s.contact_id ORDER BY a.rank)
   FROM (SELECT rapport.standing(who) AS contact_id) s';
GRANT EXECUTE ON FUNCTION standing(uuid), everybody(uuid) TO rapport_app;

RESET ROLE;
RESET search_path;

-- migrate:down
