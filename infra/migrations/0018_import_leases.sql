-- migrate:up

GRANT CREATE ON SCHEMA rapport TO rapport_log;
SET ROLE rapport_owner;
SET search_path = rapport, pg_temp;

-- Who works on an import has it by a lease, committed before the work: `taken_by` until `taken_until`, and `tries` counts the
-- turns begun since something last came of one. `batch_to` is the last row of a batch that is being recorded: past
-- `through_row`, some of it may be in the log already. `cancel_asked` then waits for the end of that batch.
ALTER TABLE import ADD COLUMN batch_to bigint NOT NULL DEFAULT 0, ADD COLUMN cancel_asked boolean NOT NULL DEFAULT false;

RESET ROLE;
SET ROLE rapport_log;
SET search_path = rapport, pg_temp;
DROP FUNCTION claim_import(uuid);

-- One import with something to do, locked to the end of the transaction, which then enters its tenant and takes the lease. Of
-- each business the file brought first, one at a time; of businesses, whose last turn is longest ago. `opened` are the files
-- this worker has open; others are taken where they measure no more than `room` bytes, or where no file is needed.
CREATE FUNCTION claim_import(worker uuid, in_hand uuid[], opened uuid[], room bigint)
RETURNS TABLE (tenant_id uuid, import_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = rapport, pg_temp AS
'SELECT i.tenant_id, i.import_id FROM import i
  WHERE i.due_at <= now() AND i.import_id <> ALL (in_hand)
    AND (i.taken_by = worker OR i.taken_until IS NULL OR i.taken_until < now())
    AND (i.size <= room OR i.import_id = ANY (opened) OR i.state NOT IN (''reading'', ''running''))
    AND NOT EXISTS (SELECT FROM import o
                     WHERE o.tenant_id = i.tenant_id AND o.import_id <> i.import_id AND o.due_at <= now()
                       AND (o.import_id = ANY (in_hand) OR o.taken_until > now() AND o.taken_by <> worker
                            OR (o.brought_at, o.import_id) < (i.brought_at, i.import_id)))
  ORDER BY i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED';
REVOKE ALL ON FUNCTION claim_import FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_import TO rapport_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA rapport FROM rapport_log;
RESET search_path;

-- migrate:down
