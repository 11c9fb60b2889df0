ALTER TABLE query_history DROP COLUMN file_id;
DROP TABLE files;
DROP TABLE workbooks;
