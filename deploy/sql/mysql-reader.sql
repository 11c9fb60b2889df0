-- A user who can only read one database of a MySQL or MariaDB server, for DataGenie. README.md beside this file says how it is run, by the
-- client mariadb or mysql, in that database, as an administrator. What may be set before it:
--
--   @datagenie_user      his name; datagenie_readonly if not set
--   @datagenie_host      the host that he comes from; % (any) if not set
--   @datagenie_password  his password; needed while he is new, not set: as it was
--   @datagenie_hidden    tables and views that he does not read, with commas between their names; none if not set
--
-- A right to read a whole database can't be taken back for one of its tables, so he gets one for each table that he reads. New tables are
-- not among them: run this again for those. It may be run again at any time, and takes nothing away until all is given. Names to hide are
-- compared without case. A name that holds a comma, or begins or ends with a space, can't be told.

SET @datagenie_sql_mode = @@SESSION.sql_mode;
-- A procedure is read by the mode that its session has when it is made.
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';
SET @datagenie_user = COALESCE(@datagenie_user, 'datagenie_readonly'), @datagenie_host = COALESCE(@datagenie_host, '%'),
    @datagenie_hidden = COALESCE(@datagenie_hidden, '');

DROP PROCEDURE IF EXISTS datagenie_make_reader;
DELIMITER //
CREATE PROCEDURE datagenie_make_reader()
    SQL SECURITY INVOKER
BEGIN
    DECLARE account TEXT CHARACTER SET utf8mb4 DEFAULT CONCAT(QUOTE(@datagenie_user), '@', QUOTE(@datagenie_host));
    -- As information_schema writes him.
    DECLARE listed_as TEXT CHARACTER SET utf8mb4 DEFAULT CONCAT('''', @datagenie_user, '''@''', @datagenie_host, '''');
    DECLARE hidden TEXT CHARACTER SET utf8mb4 DEFAULT ',';
    DECLARE to_hide TEXT CHARACTER SET utf8mb4 DEFAULT @datagenie_hidden;
    DECLARE relation TEXT CHARACTER SET utf8mb4;
    DECLARE beyond TEXT CHARACTER SET utf8mb4;
    DECLARE message TEXT CHARACTER SET utf8mb4;
    DECLARE statement TEXT CHARACTER SET utf8mb4;
    DECLARE is_known, is_there, is_over BOOL DEFAULT FALSE;
    DECLARE turn INT;

    -- What he is given, and then what he had and shall not have: the right to read the whole database, and rights on hidden tables.
    DECLARE statements CURSOR FOR
        SELECT CONCAT('GRANT SELECT', IF(t.TABLE_TYPE = 'VIEW', ', SHOW VIEW', ''), ' ON `', REPLACE(t.TABLE_SCHEMA, '`', '``'), '`.`',
                      REPLACE(t.TABLE_NAME, '`', '``'), '` TO ', account) AS step, 1 AS its_turn
        FROM information_schema.TABLES t
        WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
          AND LOCATE(CONCAT(',', CONVERT(t.TABLE_NAME USING utf8mb4), ',') COLLATE utf8mb4_general_ci, hidden) = 0
        UNION ALL
        SELECT DISTINCT CONCAT('REVOKE ALL PRIVILEGES ON `', REPLACE(p.TABLE_SCHEMA, '`', '``'), '`.* FROM ', account), 2
        FROM information_schema.SCHEMA_PRIVILEGES p
        WHERE CONVERT(p.GRANTEE USING utf8mb4) COLLATE utf8mb4_bin = listed_as AND p.PRIVILEGE_TYPE <> 'USAGE'
          AND CONVERT(DATABASE() USING utf8mb4) COLLATE utf8mb4_general_ci LIKE CONVERT(p.TABLE_SCHEMA USING utf8mb4)
        UNION ALL
        SELECT DISTINCT CONCAT('REVOKE ALL PRIVILEGES ON `', REPLACE(p.TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(p.TABLE_NAME, '`', '``'),
                               '` FROM ', account), 3
        FROM (SELECT GRANTEE, TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLE_PRIVILEGES
              UNION SELECT GRANTEE, TABLE_SCHEMA, TABLE_NAME FROM information_schema.COLUMN_PRIVILEGES) p
        WHERE CONVERT(p.GRANTEE USING utf8mb4) COLLATE utf8mb4_bin = listed_as AND p.TABLE_SCHEMA = DATABASE()
          AND LOCATE(CONCAT(',', CONVERT(p.TABLE_NAME USING utf8mb4), ',') COLLATE utf8mb4_general_ci, hidden) > 0
        ORDER BY 2, 1;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET is_over = TRUE;

    WHILE to_hide <> '' DO
        SET relation = TRIM(SUBSTRING_INDEX(to_hide, ',', 1));
        SET to_hide = IF(LOCATE(',', to_hide) > 0, SUBSTRING(to_hide, LOCATE(',', to_hide) + 1), '');
        IF relation <> '' THEN
            SELECT COUNT(*) > 0 INTO is_there FROM information_schema.TABLES t
            WHERE t.TABLE_SCHEMA = DATABASE() AND CONVERT(t.TABLE_NAME USING utf8mb4) COLLATE utf8mb4_general_ci = relation;
            IF NOT is_there THEN
                SET message = LEFT(CONCAT('there is no table or view to hide of this name: ', relation), 128);
                SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
            END IF;
            SET hidden = CONCAT(hidden, relation, ',');
        END IF;
    END WHILE;

    -- He is nobody's but DataGenie's: who may do more is another one who was named by mistake, or was changed by hand.
    SELECT COUNT(*) > 0 INTO is_known FROM information_schema.USER_PRIVILEGES p
    WHERE CONVERT(p.GRANTEE USING utf8mb4) COLLATE utf8mb4_bin = listed_as;
    SELECT MIN(CONCAT(CONVERT(p.right_to USING utf8mb4), ' on ', CONVERT(p.place USING utf8mb4))) INTO beyond FROM (
        SELECT GRANTEE, IF(IS_GRANTABLE = 'YES', 'GRANT OPTION', PRIVILEGE_TYPE) AS right_to, '*.*' AS place
        FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE' OR IS_GRANTABLE = 'YES'
        UNION ALL
        SELECT GRANTEE, IF(IS_GRANTABLE = 'YES', 'GRANT OPTION', PRIVILEGE_TYPE), CONCAT(TABLE_SCHEMA, '.*')
        FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE NOT IN ('USAGE', 'SELECT', 'SHOW VIEW') OR IS_GRANTABLE = 'YES'
        UNION ALL
        SELECT GRANTEE, IF(IS_GRANTABLE = 'YES', 'GRANT OPTION', PRIVILEGE_TYPE), CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)
        FROM information_schema.TABLE_PRIVILEGES WHERE PRIVILEGE_TYPE NOT IN ('USAGE', 'SELECT', 'SHOW VIEW') OR IS_GRANTABLE = 'YES'
        UNION ALL
        SELECT GRANTEE, PRIVILEGE_TYPE, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)
        FROM information_schema.COLUMN_PRIVILEGES WHERE PRIVILEGE_TYPE NOT IN ('USAGE', 'SELECT')
    ) p WHERE CONVERT(p.GRANTEE USING utf8mb4) COLLATE utf8mb4_bin = listed_as;
    IF beyond IS NOT NULL THEN
        SET message = LEFT(CONCAT('the user exists and may do more than read this database, so nothing was changed: ', beyond), 128);
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
    END IF;
    IF NOT is_known AND COALESCE(@datagenie_password, '') = '' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the user is new and needs a password: set @datagenie_password';
    END IF;

    SET @datagenie_statement = CONCAT('CREATE USER IF NOT EXISTS ', account);
    IF COALESCE(@datagenie_password, '') <> '' THEN
        SET @datagenie_statement =
            CONCAT(IF(is_known, 'ALTER USER ', 'CREATE USER '), account, ' IDENTIFIED BY ', QUOTE(@datagenie_password));
    END IF;
    PREPARE one FROM @datagenie_statement;
    EXECUTE one;
    DEALLOCATE PREPARE one;
    SET @datagenie_password = NULL;

    OPEN statements;
    running: LOOP
        FETCH statements INTO statement, turn;
        IF is_over THEN
            LEAVE running;
        END IF;
        SET @datagenie_statement = statement;
        PREPARE one FROM @datagenie_statement;
        EXECUTE one;
        DEALLOCATE PREPARE one;
    END LOOP;
    CLOSE statements;

    SELECT CONCAT(account, ' reads ', COUNT(DISTINCT p.TABLE_NAME), ' tables and views of ', DATABASE()) AS made
    FROM information_schema.TABLE_PRIVILEGES p
    WHERE CONVERT(p.GRANTEE USING utf8mb4) COLLATE utf8mb4_bin = listed_as AND p.TABLE_SCHEMA = DATABASE() AND p.PRIVILEGE_TYPE = 'SELECT';
    -- A view that he reads shows what its owner reads.
    SELECT v.TABLE_NAME AS `reads a hidden table`
    FROM information_schema.VIEWS v JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = DATABASE()
    WHERE v.TABLE_SCHEMA = DATABASE()
      AND LOCATE(CONCAT(',', CONVERT(t.TABLE_NAME USING utf8mb4), ',') COLLATE utf8mb4_general_ci, hidden) > 0
      AND LOCATE(CONCAT(',', CONVERT(v.TABLE_NAME USING utf8mb4), ',') COLLATE utf8mb4_general_ci, hidden) = 0
      AND LOCATE(CONCAT('`', CONVERT(t.TABLE_NAME USING utf8mb4), '`') COLLATE utf8mb4_general_ci, v.VIEW_DEFINITION) > 0
    GROUP BY v.TABLE_NAME ORDER BY 1;
END //
DELIMITER ;

CALL datagenie_make_reader();
DROP PROCEDURE datagenie_make_reader;
SET SESSION sql_mode = @datagenie_sql_mode;
