DROP TABLE analysis_results;
DROP TABLE query_history;
