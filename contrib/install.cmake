# What `cmake --install` puts beside the program, with the places that it goes to: the service's units and its settings.
# Settings that are there stay as they are.

set(bin "${CMAKE_INSTALL_PREFIX}/bin")
set(etc "${CMAKE_INSTALL_PREFIX}/etc")
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(etc "/etc")
endif()

function(install_text from to)
    file(READ "${CMAKE_CURRENT_LIST_DIR}/${from}" text)
    string(REPLACE "/usr/bin/penstock" "${bin}/penstock" text "${text}")
    string(REPLACE "/etc/penstock/" "${etc}/penstock/" text "${text}")
    message(STATUS "Installing: $ENV{DESTDIR}${to}")
    file(WRITE "$ENV{DESTDIR}${to}" "${text}")
endfunction()

install_text(penstock.service "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/penstock.service")
install_text(penstock.socket "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/penstock.socket")
if(EXISTS "$ENV{DESTDIR}${etc}/penstock/penstock.conf")
    message(STATUS "Kept as it is: $ENV{DESTDIR}${etc}/penstock/penstock.conf")
else()
    install_text(penstock.conf "${etc}/penstock/penstock.conf")
endif()
