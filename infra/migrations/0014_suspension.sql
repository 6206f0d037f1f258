-- migrate:up

-- Since when a tenant is suspended: its keys are refused, and what goes out waits. Nothing of it is lost.
SET ROLE rapport_owner;
ALTER TABLE rapport.tenant ADD suspended_at timestamptz;
GRANT UPDATE (suspended_at) ON rapport.tenant TO rapport_app;
RESET ROLE;

-- migrate:down
