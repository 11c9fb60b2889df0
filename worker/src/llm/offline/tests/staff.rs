//! Another schema: departments, employees, and names that need quotes.

use super::{check, staff};
use datagenie_common::model::connections::DbType;

/// Question, chart, statement.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("부서별 직원 수", "bar", "SELECT departments.name AS department, COUNT(*) AS employee_count FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name ORDER BY employee_count DESC, departments.name, departments.id"),
    ("부서별 평균 연봉", "bar", "SELECT departments.name AS department, ROUND(AVG(employees.salary), 2) AS average_salary FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name ORDER BY average_salary DESC, departments.name, departments.id"),
    ("average salary per department", "bar", "SELECT departments.name AS department, ROUND(AVG(employees.salary), 2) AS average_salary FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name ORDER BY average_salary DESC, departments.name, departments.id"),
    ("highest salary", "number", "SELECT MAX(salary) AS max_salary FROM employees"),
    ("가장 연봉이 높은 직원 5명", "bar", "SELECT full_name, salary FROM employees ORDER BY salary DESC, full_name, id LIMIT 5"),
    ("top 3 departments by average salary", "bar", "SELECT departments.name AS department, ROUND(AVG(employees.salary), 2) AS average_salary FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name ORDER BY average_salary DESC, departments.name, departments.id LIMIT 3"),
    ("employees hired in 2024", "table", r#"SELECT id, full_name, department_id, hire_date, salary, "Title" FROM employees WHERE hire_date >= '2024-01-01' AND hire_date < '2025-01-01' ORDER BY id"#),
    ("2024년에 입사한 직원 수", "number", "SELECT COUNT(*) AS employee_count FROM employees WHERE hire_date >= '2024-01-01' AND hire_date < '2025-01-01'"),
    ("how many employees in the Sales department", "number", "SELECT COUNT(*) AS employee_count FROM employees JOIN departments ON departments.id = employees.department_id WHERE departments.name = 'Sales'"),
    (r#"employees in "O'Brien Lab""#, "table", r#"SELECT employees.id, employees.full_name, employees.department_id, employees.hire_date, employees.salary, employees."Title" FROM employees JOIN departments ON departments.id = employees.department_id WHERE departments.name = 'O''Brien Lab' ORDER BY employees.id"#),
    ("연봉이 5000만원 이상인 직원", "table", r#"SELECT id, full_name, department_id, hire_date, salary, "Title" FROM employees WHERE salary >= 50000000 ORDER BY salary DESC, id"#),
    ("직급별 직원 수", "bar", r#"SELECT "Title", COUNT(*) AS employee_count FROM employees GROUP BY "Title" ORDER BY employee_count DESC, "Title""#),
    ("employees by title", "bar", r#"SELECT "Title", COUNT(*) AS employee_count FROM employees GROUP BY "Title" ORDER BY employee_count DESC, "Title""#),
    ("order by group", "bar", r#"SELECT "group", COUNT(*) AS order_count FROM "order" GROUP BY "group" ORDER BY order_count DESC, "group""#),
    ("how many orders per employee", "bar", r#"SELECT employees.full_name AS employee, COUNT(*) AS order_count FROM "order" JOIN employees ON employees.id = "order".employee_id GROUP BY employees.id, employees.full_name ORDER BY order_count DESC, employees.full_name, employees.id"#),
    ("부서 목록", "table", "SELECT id, name, budget FROM departments ORDER BY id"),
    ("list departments", "table", "SELECT id, name, budget FROM departments ORDER BY id"),
    ("departments with more than 10 employees", "bar", "SELECT departments.name AS department, COUNT(*) AS employee_count FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name HAVING COUNT(*) > 10 ORDER BY employee_count DESC, departments.name, departments.id"),
    ("total salary by department", "bar", "SELECT departments.name AS department, SUM(employees.salary) AS total_salary FROM employees JOIN departments ON departments.id = employees.department_id GROUP BY departments.id, departments.name ORDER BY total_salary DESC, departments.name, departments.id"),
    ("부서별 총 예산", "bar", "SELECT name AS department, SUM(budget) AS total_budget FROM departments GROUP BY id, name ORDER BY total_budget DESC, name, id"),
    ("number of employees", "number", "SELECT COUNT(*) AS employee_count FROM employees"),
    ("who has the highest salary?", "bar", "SELECT full_name, salary FROM employees ORDER BY salary DESC, full_name, id LIMIT 1"),
    ("revenue", "number", r#"SELECT SUM(total) AS revenue FROM "order""#),
    ("매출", "number", r#"SELECT SUM(total) AS revenue FROM "order""#),
    ("Sales 부서 직원 목록", "table", r#"SELECT employees.id, employees.full_name, employees.department_id, employees.hire_date, employees.salary, employees."Title" FROM employees JOIN departments ON departments.id = employees.department_id WHERE departments.name = 'Sales' ORDER BY employees.id"#),
];

#[test]
fn questions_become_these_statements() {
    check(CASES, &staff(), DbType::Postgresql);
}
