# `cmake --build build --target lint`: every linter that this machine has, and a line for each it lacks.
add_custom_target(lint)

function(add_lint name)
  find_program(LINT_${name} ${name})
  if(LINT_${name})
    add_custom_target(lint-${name} COMMAND ${LINT_${name}} ${ARGN}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM COMMENT "${name}")
  else()
    add_custom_target(lint-${name} COMMAND ${CMAKE_COMMAND} -E echo "${name}: not installed, skipped")
  endif()
  add_dependencies(lint lint-${name})
endfunction()

file(GLOB_RECURSE lint_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.c)
file(GLOB_RECURSE lint_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.h)
file(GLOB lint_shell CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/scripts/*.sh)

add_lint(luacheck -q lua scripts spec)
add_lint(clang-tidy -p ${PROJECT_BINARY_DIR} --quiet --warnings-as-errors=* ${lint_sources})
add_lint(clang-format --dry-run --Werror ${lint_sources} ${lint_headers})
add_lint(cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -D_GNU_SOURCE -Ihost
         --enable=warning,portability --suppress=missingInclude --suppress=missingIncludeSystem
         host)
add_lint(shellcheck -x ${lint_shell} ${PROJECT_SOURCE_DIR}/host/mphost.bash)
# STYLE's other findings depend on which manuals the machine has.
add_lint(mandoc -T lint -W warning host/mphost.1)
