-- migrate:up

SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Where a received referral was won or lost, for who made it: of these the timeline tells what the referrer's advocacy is.
CREATE TABLE conversion (
  tenant_id     uuid NOT NULL,
  build         int NOT NULL,
  contact_id    uuid NOT NULL,
  referral_id   uuid NOT NULL,
  position      bigint NOT NULL,
  touchpoint_id uuid NOT NULL,                     -- the referral's; struck, nothing of it counts
  outcome       text NOT NULL,
  occurred_at   timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, build, contact_id, referral_id, position));

-- A referral and its fate. `told` are the outcomes it is folded from, msgpack; `value` has the tenant's one currency.
CREATE TABLE referral (
  tenant_id     uuid NOT NULL,
  build         int NOT NULL,
  referral_id   uuid NOT NULL,
  direction     text NOT NULL,
  referrer_id   uuid NOT NULL,
  prospect_id   uuid NOT NULL,
  heat          smallint,
  channel       text NOT NULL,
  touchpoint_id uuid NOT NULL,
  made_at       timestamptz NOT NULL,
  position      bigint NOT NULL,
  told          bytea NOT NULL,
  status        text NOT NULL,
  contacted_at  timestamptz,
  met_at        timestamptz,
  decided_at    timestamptz,
  value         numeric,
  currency      text,
  thanked_at    timestamptz,
  withdrawn     boolean NOT NULL DEFAULT false,    -- its touchpoint is struck
  PRIMARY KEY (tenant_id, build, referral_id));
CREATE INDEX referral_page ON referral (tenant_id, build, made_at DESC, referral_id DESC);
CREATE INDEX referral_referrer ON referral (tenant_id, build, referrer_id);
CREATE INDEX referral_prospect ON referral (tenant_id, build, prospect_id);

-- Who knows whom, a row for each side: as told, where there is no touchpoint, or by an introduction, whose touchpoint it is.
CREATE TABLE tie (
  tenant_id     uuid NOT NULL,
  build         int NOT NULL,
  contact_id    uuid NOT NULL,
  other_id      uuid NOT NULL,
  position      bigint NOT NULL,
  touchpoint_id uuid,
  noted_at      timestamptz NOT NULL,
  withdrawn     boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, build, contact_id, other_id, position));

DO $$
DECLARE walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['conversion', 'referral', 'tie'] LOOP
    EXECUTE format('CALL rapport.raise_wall(%L)', walled);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rapport_app', walled);
  END LOOP;
END $$;

-- Tenants that are there already get the projection too.
GRANT INSERT ON checkpoint TO rapport_log;
SET ROLE rapport_log;
INSERT INTO checkpoint (tenant_id, process, build, live) SELECT tenant_id, 'referrals', 1, true FROM tenant;
SET ROLE rapport_owner;
REVOKE INSERT ON checkpoint FROM rapport_log;

RESET ROLE;
RESET search_path;

-- migrate:down
