DROP FUNCTION touch_updated_at();
DROP FUNCTION dg_now();
